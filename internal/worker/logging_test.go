package worker

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
)

// TestDebugLinesHoldNoSecrets: what ARM says is logged at debug level too, without what grants
// access.
func TestDebugLinesHoldNoSecrets(t *testing.T) {
	const sas = "https://a.blob.core.windows.net/c/d.vhd?sv=1&sig=c2VjcmV0"
	for _, seen := range []build.Observation{
		build.Accepted{Token: "c2VjcmV0"},
		build.Operation{Status: "Failed", Err: &armerr.Error{Code: "X", Message: "cannot read " + sas, Details: []armerr.Detail{{Message: sas}}}},
	} {
		core, logs := observer.New(zap.DebugLevel)
		new(Worker).logDone(zap.New(core), build.Build{}, build.Command{Verb: build.Watch}, seen)
		text, err := zapJSON(logs.All()[0])
		if err != nil || strings.Contains(text, "c2VjcmV0") || !strings.Contains(text, `"step":"watch"`) {
			t.Errorf("%T: %s, %v", seen, text, err)
		}
	}
}

// zapJSON is the line as the handler writes it.
func zapJSON(line observer.LoggedEntry) (string, error) {
	enc := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	buffer, err := enc.EncodeEntry(line.Entry, line.Context)
	if err != nil {
		return "", err
	}
	return buffer.String(), nil
}
