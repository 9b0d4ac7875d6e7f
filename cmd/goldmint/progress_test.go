package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goldmint/cmd/goldmint/internal/pipeline"
)

// Who waits for a build that nobody knows is told after some seconds, once, what to check; who has just submitted it is not.
func TestSilenceIsToldEarly(t *testing.T) {
	for _, submitted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			build := target{id: "web-1"}
			if submitted {
				build.submitted = time.Now()
			}
			p := newProgress(&out, pipeline.Detect(func(string) string { return "" }, &out), build)
			looks := time.NewTicker(lookEvery)
			for range 20 {
				p.heard(nil)
				<-looks.C
			}
			p.stop()
			want := 1
			if submitted {
				want = 0
			}
			if got := strings.Count(out.String(), "nothing was heard of web-1 so far: is the id right"); got != want {
				t.Errorf("submitted %t: told %d times:\n%s", submitted, got, out.String())
			}
		})
	}
}
