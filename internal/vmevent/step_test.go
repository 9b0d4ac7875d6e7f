package vmevent

import (
	"strings"
	"testing"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/request"
)

var policy = Policy{Mode: ModeTagged, MaxWait: 24 * time.Hour}

// prepared is a VM that is ready to be captured, and the work on an event about it.
func prepared(t *testing.T, operation Operation) (Work, VM) {
	t.Helper()
	e, err := Decode([]byte(plain), enqueued)
	if err != nil {
		t.Fatal(err)
	}
	e.Operation = operation
	return New(e, enqueued), VM{
		ID: e.VM, VMID: vmID, Location: "westeurope", Tags: map[string]string{TagCapture: "capture", TagGeneralize: "true"},
		Generalized: true, Power: "deallocated", State: "Succeeded", HyperVGeneration: "V2",
	}
}

func verbs(p Policy, w Work, seen ...Observation) (Work, []Verb) {
	var all []Verb
	for _, o := range seen {
		var do Command
		w, do = p.Step(w, o, enqueued)
		all = append(all, do.Verb)
	}
	return w, all
}

// TestStep goes through one message, command by command.
func TestStep(t *testing.T) {
	w, ready := prepared(t, Deallocate)
	raw := ready
	raw.Generalized = false
	other, odd, busy := ready, ready, ready
	other.ID.Name, odd.VMID, busy.State = "another", "", "Updating"
	for _, test := range []struct {
		name string
		seen []Observation
		want []Verb
	}{
		{"ready", []Observation{Woken{}, ready, Found{}, Sent{}}, []Verb{Read, Find, Send, Completed}},
		{"captured already", []Observation{Woken{}, ready, Found{"i"}}, []Verb{Read, Find, Ignore}},
		{"generalized here", []Observation{Woken{}, raw, Prepared{}, ready, Found{}}, []Verb{Read, Prepare, Read, Find, Send}},
		{"generalized here once a message", []Observation{Woken{}, raw, Prepared{}, raw}, []Verb{Read, Prepare, Read, Continue}},
		{"busy", []Observation{Woken{}, busy}, []Verb{Read, Continue}},
		{"another VM than asked for", []Observation{Woken{}, other}, []Verb{Read, Ignore}},
		{"a VM without vmId", []Observation{Woken{}, odd}, []Verb{Read, Ignore}},
	} {
		if _, got := verbs(policy, w, test.seen...); !equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func equal(a, b []Verb) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestWaitsAreBounded: the work ends even if ARM always refuses or the VM is never ready, and the
// waits grow.
func TestWaitsAreBounded(t *testing.T) {
	w, vm := prepared(t, Deallocate)
	vm.Generalized = false
	starting := vm
	starting.Power = "starting"
	for name, test := range map[string]struct {
		seen []Observation
		end  Verb
		most int
	}{
		"not deallocated":         {[]Observation{Woken{}, starting}, Ignore, len(notReady)},
		"cannot be read":          {[]Observation{Woken{}, Errored{Read, &armerr.Error{Status: 404, Code: "ResourceNotFound"}}}, Ignore, len(young)},
		"ARM is down":             {[]Observation{Woken{}, Errored{Read, &armerr.Error{}}}, Ignore, 400},
		"generalize is refused":   {[]Observation{Woken{}, vm, Errored{Prepare, &armerr.Error{Status: 409, Code: "OperationNotAllowed"}}}, Publish, len(notReady)},
		"generalize is throttled": {[]Observation{Woken{}, vm, Errored{Prepare, &armerr.Error{Status: 429, Code: "TooManyRequests"}}}, Publish, 400},
		"the topic is deaf":       {[]Observation{Woken{}, Errored{Publish, nil}}, Ignore, 400},
	} {
		now, w, do := enqueued, w, Command{}
		for n := 0; ; n++ {
			for _, o := range test.seen {
				w, do = policy.Step(w, o, now)
			}
			if do.Verb != Continue {
				if do.Verb != test.end || n > test.most || n < 3 {
					t.Errorf("%s: %s after %d waits, want %s", name, do.Verb, n, test.end)
				}
				break
			}
			if wait := do.At.Sub(now); wait < time.Second || wait > 10*time.Minute || w.Seq != n+2 {
				t.Fatalf("%s: wait %d is %s, seq %d", name, n, wait, w.Seq)
			}
			now = do.At
		}
		if now.After(enqueued.Add(policy.MaxWait)) {
			t.Errorf("%s: it ended at %s", name, now)
		}
	}
}

// TestFailedSaysWhatToDo: ARM's own code stays, and a person knows what to do.
func TestFailedSaysWhatToDo(t *testing.T) {
	w, vm := prepared(t, Deallocate)
	vm.Generalized = false
	w.Grace = len(young)
	w, _ = verbs(policy, w, Woken{}, vm)
	_, do := policy.Step(w, Errored{Prepare, &armerr.Error{Status: 403, Code: "AuthorizationFailed", Message: "No."}}, enqueued)
	e := do.Event.Data.Error
	if e == nil || e.Code != "AuthorizationFailed" || e.Message != "No. Give Goldmint's identity a role with Microsoft.Compute/virtualMachines/generalize/action." {
		t.Errorf("error %+v", e)
	}
}

// TestVMOnItsWayIsWaitedFor: an image of a VM that is being changed or deleted is refused for good,
// so it is not asked for.
func TestVMOnItsWayIsWaitedFor(t *testing.T) {
	for _, state := range []string{"Creating", "Updating", "Deleting", "deleting"} {
		w, vm := prepared(t, Generalize)
		vm.State = state
		w, _ = policy.Step(w, Woken{}, enqueued)
		if _, do := policy.Step(w, vm, enqueued); do.Verb != Continue {
			t.Errorf("a VM that is %s: %s, want to look again", state, do.Verb)
		}
	}
}

// TestProvenanceIsNotOverwritten: a tag of the VM cannot say that its image comes from another one,
// in any letter case.
func TestProvenanceIsNotOverwritten(t *testing.T) {
	for _, name := range []string{TagSourceTime, "Source-Event-Time", "Goldmint-Source-ID", "goldmint-source-unique-id"} {
		w, vm := prepared(t, Generalize)
		vm.Tags[name] = "forged"
		p := policy
		p.CopyTags = []string{name}
		w, _ = p.Step(w, Woken{}, enqueued)
		_, do := p.Step(w, vm, enqueued)
		for tag, value := range do.Request.Image.Tags {
			if *value == "forged" {
				t.Errorf("the VM's tag %s became the image's tag %s", name, tag)
			}
		}
		if do.Verb != Find || do.Request.Image.Tags[TagSourceTime] == nil {
			t.Errorf("%s: %s with tags %v", name, do.Verb, do.Request.Image.Tags)
		}
	}
}

// TestVersionOfATrustedLaunchVM: what cannot become a managed image becomes a version of the
// definition that the VM's tag names, under a number that is the event's time.
func TestVersionOfATrustedLaunchVM(t *testing.T) {
	w, vm := prepared(t, Generalize)
	vm.SecurityType = "TrustedLaunch"
	woken, _ := policy.Step(w, Woken{}, enqueued)
	_, do := policy.Step(woken, vm, enqueued)
	if do.Verb != Publish || !strings.Contains(do.Event.Data.Error.Message, TagGallery+" = gallery/definition, or set VM_GALLERY_IMAGE") {
		t.Errorf("without a gallery: %s %+v, want a failure that says how to name one", do.Verb, do.Event.Data.Error)
	}
	for tag, want := range map[string]string{"corp/web": "", "corp": "InvalidGalleryImage", "corp/a/b": "InvalidRequest", "../web": "InvalidRequest", "corp/..": "InvalidRequest"} {
		vm.Tags[TagGallery] = tag
		vm.Tags["Source-Event-Time"] = "forged"
		p := policy
		p.CopyTags = []string{"Source-Event-Time"}
		_, do := p.Step(woken, vm, enqueued)
		if want != "" {
			if do.Verb != Publish || do.Event.Data.Error.Code != want {
				t.Errorf("%s: %s %+v, want %s", tag, do.Verb, do.Event.Data.Error, want)
			}
			continue
		}
		r, at := do.Request, w.Event.Time
		number := strings.NewReplacer(".0", ".").Replace(at.Format("2006.0102.")) + strings.TrimLeft(at.Format("150405"), "0")
		if do.Verb != Find || r.Target() != request.GalleryImageVersion || r.GalleryName != "corp" || r.GalleryImageName != "web" || r.Name != number {
			t.Errorf("%s: %s %+v, want version %s", tag, do.Verb, r, number)
		}
		if r.Tags()[TagSourceTime] == nil || r.Source().Type != "virtualMachine" || r.Timeout != request.DefaultVersionTimeout {
			t.Errorf("%s: tags %v of source %v", tag, r.Tags(), r.Source())
		}
		for name, value := range r.Tags() {
			if *value == "forged" {
				t.Errorf("tag %s is forged", name)
			}
		}
	}
}

// TestGalleryOfTheSetting: VM_GALLERY_IMAGE holds for VMs that name no gallery of their own. The
// VM's tags choose the number and the commit that the events and the version's tag name.
func TestGalleryOfTheSetting(t *testing.T) {
	w, vm := prepared(t, Generalize)
	vm.SecurityType = "TrustedLaunch"
	vm.Tags[TagName], vm.Tags[TagCommit] = "1.{date}.{time}", "1f6c0ad"
	p := policy
	p.GalleryImage = "corp/web"
	w, _ = p.Step(w, Woken{}, enqueued)
	for tag, want := range map[string]string{"": "corp/web", "lab/db": "lab/db"} {
		vm.Tags[TagGallery] = tag
		_, do := p.Step(w, vm, enqueued)
		r := do.Request
		if got := r.GalleryName + "/" + r.GalleryImageName; do.Verb != Find || got != want {
			t.Errorf("tag %q: %s of %s, want %s", tag, do.Verb, got, want)
		}
		if at := w.Event.Time.UTC(); !strings.HasPrefix(r.Name, "1."+at.Format("20060102")+".") || r.Metadata["commit"] != "1f6c0ad" {
			t.Errorf("number %s, metadata %v", r.Name, r.Metadata)
		}
	}
	vm.Tags[TagName], vm.Tags[TagGallery] = "{vm}", "lab/db"
	if _, do := p.Step(w, vm, enqueued); do.Verb != Publish || do.Event.Data.Error.Code != "InvalidImageName" || do.Event.Data.GalleryImageName != "db" {
		t.Errorf("a name that is no number: %s %+v", do.Verb, do.Event.Data)
	}
}

// TestObstaclesOfAVersion: a gallery accepts some VMs that cannot become a managed image, but not
// all.
func TestObstaclesOfAVersion(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*VM)
		want   string
	}{
		"Trusted Launch":    {func(v *VM) { v.SecurityType = "TrustedLaunch" }, ""},
		"Confidential VM":   {func(v *VM) { v.SecurityType = "ConfidentialVM" }, ""},
		"scale set":         {func(v *VM) { v.InScaleSet = true }, "Prepare the image on a VM of its own."},
		"ephemeral OS disk": {func(v *VM) { v.EphemeralOSDisk = true }, "prepare the image on a VM with a managed OS disk"},
	} {
		w, vm := prepared(t, Generalize)
		vm.Tags[TagGallery] = "corp/web"
		c.change(&vm)
		w, _ = policy.Step(w, Woken{}, enqueued)
		_, do := policy.Step(w, vm, enqueued)
		switch {
		case c.want == "" && do.Verb != Find:
			t.Errorf("%s: %s %+v", name, do.Verb, do.Event.Data.Error)
		case c.want != "" && (do.Verb != Publish || !strings.Contains(do.Event.Data.Error.Message, c.want)):
			t.Errorf("%s: %s %+v", name, do.Verb, do.Event.Data.Error)
		}
	}
}
