package vmevent

import (
	"encoding/json"
	"testing"
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
	if err := got.Check(); err != nil {
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
		"vmId is no GUID":     func(w *Work) { w.VMID = "../x" },
		"event.vm is missing": func(w *Work) { w.Event.VM = ID{} },
	} {
		w := New(e, enqueued)
		change(&w)
		if got := text(w.Check()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var crafted Work
	if err := json.Unmarshal([]byte(`{"event":{"id":"1","operation":"generalize","vm":"/subscriptions/../resourceGroups/x/providers/Microsoft.Compute/virtualMachines/y"}}`), &crafted); err == nil {
		t.Errorf("a crafted VM is taken: %+v", crafted.Event.VM)
	}
}
