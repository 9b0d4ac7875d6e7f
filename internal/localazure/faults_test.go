package localazure

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseFaults(t *testing.T) {
	f, err := ParseFaults("throttle=0.05, error=0.02,reset=0.03,lost-reply=0.04,conflict=0.01,forbidden=0.06,fail=0.07,slow=0.08,"+
		"vanish=0.09,drop=0.001,duplicate=0.1,busy=0.11,kill=10s,restart=1m,cut=2s", 7)
	if err != nil {
		t.Fatal(err)
	}
	a, s := f.ARM, f.ServiceBus
	if a.Seed != 7 || a.Throttle != 0.05 || a.ServerError != 0.02 || a.Reset != 0.03 || a.LostReply != 0.04 || a.Conflict != 0.01 ||
		a.Forbidden != 0.06 || a.FailOperation != 0.07 || a.SlowOperation != 0.08 || a.VanishOperation != 0.09 {
		t.Errorf("Resource Manager: %+v", a)
	}
	if s.Seed != 7 || s.DropEvery != 0.001 || s.Duplicate != 0.1 || s.Busy != 0.11 {
		t.Errorf("Service Bus: %+v", s)
	}
	if f.Kill != 10*time.Second || f.Restart != time.Minute || f.Cut != 2*time.Second {
		t.Errorf("processes: %+v", f)
	}
	if none, err := ParseFaults("", 0); err != nil || none != (Faults{}) {
		t.Errorf("an empty specification gives %+v, %v", none, err)
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"throtle=0.1":                      `"throtle" is unknown; known are throttle, error`,
		"throttle":                         "no chance between 0 and 1",
		"throttle=2":                       "no chance between 0 and 1",
		"throttle=NaN":                     "no chance between 0 and 1",
		"throttle=-0.1":                    "no chance between 0 and 1",
		"kill=10":                          "such as kill=10s",
		"kill=-10s":                        "such as kill=10s",
		"kill=0.1":                         "such as kill=10s",
		"drop=0.1,drop=0.2":                "twice",
		"throttle=0.5,error=0.4,reset=0.3": "at most one",
	} {
		_, err := ParseFaults(spec, 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not say %q", spec, err, want)
		}
	}
}

// TestEveryFaultHasAMeaning: what the help text lists is what the parser knows.
func TestEveryFaultHasAMeaning(t *testing.T) {
	var f Faults
	for _, n := range FaultNames() {
		if f.chances()[n[0]] == nil && f.durations()[n[0]] == nil {
			t.Errorf("%s is listed but unknown", n[0])
		}
	}
	if listed, known := len(FaultNames()), len(f.chances())+len(f.durations()); listed != known {
		t.Errorf("%d faults are listed, %d are known", listed, known)
	}
}

// TestEveryChanceHasASwitch: --faults can cause every fault of the emulators.
func TestEveryChanceHasASwitch(t *testing.T) {
	var f Faults
	switches := map[any]bool{}
	for _, chance := range f.chances() {
		switches[chance] = true
	}
	for _, part := range []reflect.Value{reflect.ValueOf(&f.ARM).Elem(), reflect.ValueOf(&f.ServiceBus).Elem()} {
		for i := range part.NumField() {
			if chance, ok := part.Field(i).Addr().Interface().(*float64); ok && !switches[chance] {
				t.Errorf("%s.%s has no name in --faults", part.Type(), part.Type().Field(i).Name)
			}
		}
	}
}

// FuzzParseFaults: a specification is refused, or its chances are between 0 and 1.
func FuzzParseFaults(f *testing.F) {
	f.Add("throttle=0.05,kill=10s")
	f.Add("drop=1e-3,,busy= ")
	f.Fuzz(func(t *testing.T, spec string) {
		got, err := ParseFaults(spec, 1)
		if err != nil {
			return
		}
		for name, chance := range got.chances() {
			if !(*chance >= 0 && *chance <= 1) {
				t.Errorf("%q: %s=%v", spec, name, *chance)
			}
		}
	})
}
