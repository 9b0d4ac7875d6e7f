package pace

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestShareEstimatesInstances deals the queue's numbers out at random to so many instances and asks one of them.
func TestShareEstimatesInstances(t *testing.T) {
	for _, instances := range []int{1, 2, 4, 10, 40} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var s share
			number := int64(1000)
			for range 100 * instances {
				number += 2 // of a message that was scheduled
				if random.IntN(instances) == 0 {
					s.heard(number, true)
				}
			}
			if got := s.instances(); got < 0.7*float64(instances) || got > 1.4*float64(instances) {
				t.Errorf("estimated %.1f instances, not about %d", got, instances)
			}
		})
	}
}

func TestShareAloneWithFewMessages(t *testing.T) {
	var s share
	if s.instances() != 1 || !s.few() {
		t.Errorf("without messages: %.1f instances, few %t", s.instances(), s.few())
	}
	for n := range int64(10) {
		s.heard(n+1, false)
	}
	if got := s.instances(); got != 1 || !s.few() {
		t.Errorf("after ten requests in a row: %.1f instances, few %t, want 1, true", got, s.few())
	}
}

// TestLine holds who stands in front: the oldest that came by lately, until it has not been seen for a while.
func TestLine(t *testing.T) {
	var l line
	at := epoch.Add
	see := func(ticket int64, after time.Duration) { l.waits(place{ticket, at(after)}, recent, at(after)) }
	see(20, 0)
	see(7, time.Second)
	see(30, 2*time.Second)
	if got := l.front(recent, at(3*time.Second)).ticket; got != 7 {
		t.Errorf("front is %d, not the oldest, 7", got)
	}
	see(20, 35*time.Second)
	if got := l.front(recent, at(36*time.Second)).ticket; got != 7 {
		t.Errorf("front is %d half a minute later, want 7 still", got)
	}
	see(20, 70*time.Second)
	if got := l.front(recent, at(71*time.Second)).ticket; got != 20 {
		t.Errorf("front is %d once 7 has gone, want 20", got)
	}
	if got := l.front(recent, at(10*time.Minute)).ticket; got != 0 {
		t.Errorf("front is %d of an empty line", got)
	}
	l.waits(place{1, at(9 * time.Minute)}, recent, at(10*time.Minute)) // old news
	l.waits(place{1, at(20 * time.Minute)}, recent, at(10*time.Minute))
	if got := l.front(recent, at(10*time.Minute)).ticket; got != 0 {
		t.Errorf("front is %d by news that is not of now", got)
	}
}
