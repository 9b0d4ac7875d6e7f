package arm_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

// outcomes is what happens to forty PUTs of forty images, in a word each.
func outcomes(t *testing.T, f arm.Faults) []string {
	t.Helper()
	s := arm.Start(t, arm.Options{AnyBlob: true, Faults: f})
	var all []string
	for n := range 40 {
		r := newRequest(t, http.MethodPut, fmt.Sprintf("%s%simages/golden-%d%s", s.Endpoint(), compute, n, version), fromDisk(blobSource))
		resp, err := s.Client().Do(r)
		_, exists := s.Image(fmt.Sprintf("%simages/golden-%d", compute, n))
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			all = append(all, fmt.Sprintf("reset,%t", exists))
		case err != nil:
			t.Fatal(err)
		default:
			_ = resp.Body.Close()
			all = append(all, fmt.Sprintf("%d,%t", resp.StatusCode, exists))
		}
	}
	return all
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults arm.Faults
		want   []string
	}{
		{"none", arm.Faults{Seed: 1}, []string{"201,true"}},
		{"throttle", arm.Faults{Seed: 1, Throttle: 1}, []string{"429,false"}},
		{"server error", arm.Faults{Seed: 1, ServerError: 1}, []string{"500,false", "504,false"}},
		{"conflict", arm.Faults{Seed: 1, Conflict: 1}, []string{"409,false"}},
		{"forbidden", arm.Faults{Seed: 1, Forbidden: 1}, []string{"403,false"}},
		{"reset", arm.Faults{Seed: 1, Reset: 1}, []string{"reset,false"}},
		{"no code", arm.Faults{Seed: 1, NoCode: 1}, []string{"409,false"}},
		{"lost reply", arm.Faults{Seed: 1, LostReply: 1}, []string{"reset,true"}},
		{
			"some of each",
			arm.Faults{Seed: 1, Throttle: 0.2, ServerError: 0.2, Reset: 0.2, LostReply: 0.2},
			[]string{"201,true", "429,false", "500,false", "504,false", "reset,false", "reset,true"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := outcomes(t, tt.faults)
			if again := outcomes(t, tt.faults); !slices.Equal(got, again) {
				t.Errorf("the same seed gave\n%v and\n%v", got, again)
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if slices.Equal(outcomes(t, arm.Faults{Seed: 1, Throttle: 0.5}), outcomes(t, arm.Faults{Seed: 2, Throttle: 0.5})) {
		t.Error("two seeds gave the same")
	}
}

func TestOperationFaults(t *testing.T) {
	t.Run("fail", func(t *testing.T) {
		s := prepared(t, arm.Options{Faults: arm.Faults{FailOperation: 1}})
		operation := startImage(t, s)
		s.FastForward(arm.RecordedTick)
		if got := get(t, s, operation).json(t); got["status"] != "Failed" {
			t.Errorf("%v", got)
		}
	})
	t.Run("slow", func(t *testing.T) {
		s := prepared(t, arm.Options{Faults: arm.Faults{SlowOperation: 1, SlowFactor: 3}})
		operation := startImage(t, s)
		s.FastForward(2 * arm.RecordedTick)
		if got := get(t, s, operation).json(t); got["status"] != "InProgress" {
			t.Errorf("%v", got)
		}
		s.FastForward(arm.RecordedTick)
		if got := get(t, s, operation).json(t); got["status"] != "Succeeded" {
			t.Errorf("%v", got)
		}
	})
	t.Run("late", func(t *testing.T) {
		s := prepared(t, arm.Options{Faults: arm.Faults{LateRead: 1, LateBy: time.Minute}})
		operation := startImage(t, s)
		s.FastForward(arm.RecordedTick)
		for _, want := range []string{"Creating", "Succeeded"} {
			state := call(t, s, http.MethodGet, imageID+version, "").json(t)["properties"].(map[string]any)["provisioningState"]
			if told := get(t, s, operation).json(t)["status"]; told != "Succeeded" || state != want {
				t.Errorf("the operation says %v, the image %v, want %s", told, state, want)
			}
			s.FastForward(time.Minute)
		}
	})
	t.Run("accept", func(t *testing.T) {
		s := prepared(t, arm.Options{Faults: arm.Faults{AcceptPut: 1}})
		if got := call(t, s, http.MethodPut, imageID+version, fromVM(vmID)); got.status != http.StatusAccepted || s.Images() != 1 {
			t.Errorf("%d %s", got.status, got.text)
		}
	})
	t.Run("vanish", func(t *testing.T) {
		s := prepared(t, arm.Options{Faults: arm.Faults{VanishOperation: 1}})
		operation := startImage(t, s)
		get(t, s, operation).refused(t, http.StatusNotFound, "NotFound", "The entity was not found in this Azure location.")
		s.FastForward(arm.RecordedTick)
		if got := call(t, s, http.MethodGet, imageID+version, "").json(t); got["properties"].(map[string]any)["provisioningState"] != "Succeeded" {
			t.Errorf("%v", got)
		}
	})
}

func TestThrottleFaultSaysWhenToComeBack(t *testing.T) {
	s := prepared(t, arm.Options{Faults: arm.Faults{Throttle: 1}})
	got := call(t, s, http.MethodGet, imageID+version, "")
	got.refused(t, http.StatusTooManyRequests, "SubscriptionRequestsThrottled", "Please try again after '5' seconds.")
	if got.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
}
