package message_test

import (
	"testing"

	"goldmint/internal/message"
)

func TestKindOf(t *testing.T) {
	const event = `"data":{"operationName":"Microsoft.Compute/virtualMachines/generalize/action"}}`
	for body, want := range map[string]message.Kind{
		`{"name":"web"}`: message.Request,
		`not JSON`:       message.Request,
		`[{"name":1}]`:   message.Request,
		`{"specversion":"1.0","type":"Microsoft.Resources.ResourceActionSuccess",` + event: message.VMEvent,
		`[{"eventType":"Microsoft.Resources.ResourceActionSuccess",` + event + `]`:         message.VMEvent,
		`{"specversion":"1.0","type":"` + message.BuildType + `","data":{"image":{}}}`:     message.Build,
		`{"specversion":"1.0","type":"` + message.VMWorkType + `","data":{}}`:              message.VMWork,
		`{"specversion":"1.0","type":"com.dapr.event.sent","data":{"image":{}}}`:           message.Request, // wrapped: refused, not ignored
		`[{"specversion":"1.0","type":"x","data":{"galleryImageVersion":{}}}]`:             message.Request,
		`{"specversion":"1.0","type":"com.dapr.event.sent","data":"eyJpbWFnZSI6e319"}`:     message.VMEvent,
	} {
		if got := message.KindOf([]byte(body)); got != want {
			t.Errorf("%s: kind %d, want %d", body, got, want)
		}
	}
}
