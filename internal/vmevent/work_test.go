package vmevent

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// TestWorkTravels: what a continuation carries is what arrives, without what was read of the VM.
func TestWorkTravels(t *testing.T) {
	e, err := Decode([]byte(plain), enqueued)
	if err != nil {
		t.Fatal(err)
	}
	w := New(e, enqueued)
	w.Seq, w.Looks, w.Grace, w.Transient = 4, 1, 2, 3
	sent := w
	sent.vm = VM{VMID: vmID}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got Work
	if err := json.Unmarshal(body, &got); err != nil || got.Event != w.Event || got.Seq != 4 || got.Looks != 1 || got.Grace != 2 || got.Transient != 3 || got.vm.VMID != "" || !got.EnqueuedAt.Equal(enqueued) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := got.Check(enqueued); err != nil {
		t.Error(err)
	}
}

// TestCheckRefuses what no continuation of Goldmint's own says.
func TestCheckRefuses(t *testing.T) {
	e, err := Decode([]byte(plain), enqueued)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Work){
		"event.id is missing or too long":                      func(w *Work) { w.Event.ID = "" },
		"event.operation is neither generalize nor deallocate": func(w *Work) { w.Event.Operation = "delete" },
		"event.vm is missing":                                  func(w *Work) { w.Event.VM = ID{} },
		"event.correlationId is no GUID":                       func(w *Work) { w.Event.CorrelationID = "x" },
		"seq is 0, not between 1 and 10000":                    func(w *Work) { w.Seq = 0 },
		"seq is 10001, not between 1 and 10000":                func(w *Work) { w.Seq = 10_001 },
		"a count is below zero":                                func(w *Work) { w.Looks = -1 },
		"a count is above 10000":                               func(w *Work) { w.Transient = math.MaxInt },
		"enqueuedAt is not a time before now":                  func(w *Work) { w.EnqueuedAt = enqueued.Add(time.Hour) },
	} {
		w := New(e, enqueued)
		w.Seq = 1
		change(&w)
		if got := text(w.Check(enqueued)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var crafted Work
	if err := json.Unmarshal([]byte(`{"event":{"id":"1","operation":"generalize","vm":"/subscriptions/../resourceGroups/x/providers/Microsoft.Compute/virtualMachines/y"}}`), &crafted); err == nil {
		t.Errorf("a crafted VM is taken: %+v", crafted.Event.VM)
	}
}
