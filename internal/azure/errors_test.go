package azure

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"goldmint/emulator/arm"
	"goldmint/internal/armerr"
)

// TestErrorsOfOddShapes: ARM's front end and the services behind it write their errors in different
// forms. All that can be read is kept, above all the message.
func TestErrorsOfOddShapes(t *testing.T) {
	for body, want := range map[string]armerr.Error{
		`{"error":{"code":"X","message":"why"}}`:                                   {Code: "X", Message: "why"},
		`{"code":"X","message":"why"}`:                                             {Code: "X", Message: "why"},
		`{"error":{"code":"X","message":"why","details":{}}}`:                      {Code: "X", Message: "why"},
		`{"error":{"details":"none","code":"X","message":"why","target":{"a":1}}}`: {Code: "X", Message: "why"},
		`{"error":{"code":"X","message":"why","details":[{"code":1},null]}}`:       {Code: "X", Message: "why"},
		`{"error":"why"}`: {},
		`<html>`:          {},
		``:                {},
	} {
		_, a := start(t, arm.Options{Intercept: func(*http.Request) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(body))
			})
		}})
		_, err := a.Create(t.Context(), newBuild(t))
		var e *armerr.Error
		if !errors.As(err, &e) || e.Status != http.StatusBadRequest || e.Message != want.Message || want.Code != "" && e.Code != want.Code {
			t.Errorf("%s: %+v, %v", body, e, err)
		}
	}
}

// TestOperationOfOddShape: its status counts, even if nothing else can be read.
func TestOperationOfOddShape(t *testing.T) {
	_, a := start(t, arm.Options{Intercept: func(r *http.Request) http.Handler {
		if !strings.Contains(r.URL.Path, "/operations/") {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"startTime":"11/23/2026 10:00:00","status":"Failed","error":{"code":"X","details":{},"message":"why"}}`))
		})
	}})
	b := newBuild(t)
	accepted, err := a.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	b.Attempt.Token = accepted.Token
	if op, err := a.Operation(t.Context(), b); err != nil || op.Status != "Failed" || op.Err == nil || op.Err.Message != "why" {
		t.Errorf("%+v, %v", op, err)
	}
}
