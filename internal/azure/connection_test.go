package azure

import (
	"strings"
	"testing"
)

// FuzzConnectionString: any text in the setting leads to a client or an error, never to a panic,
// and the error does not contain the key.
func FuzzConnectionString(f *testing.F) {
	const key = "c2VjcmV0LWtleS1zZWNyZXQta2V5"
	for _, prefix := range []string{
		"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=",
		"Endpoint=sb://127.0.0.1:5672;UseDevelopmentEmulator=true;SharedAccessKeyName=n;SharedAccessKey=",
		"Endpoint=x;EntityPath=q;SharedAccessKey=", "SharedAccessSignature=", ";;=;", "",
	} {
		f.Add(prefix, ";EntityPath=image-builds")
	}
	f.Fuzz(func(t *testing.T, prefix, suffix string) {
		client, err := Namespace{ConnectionString: prefix + key + suffix + ";"}.Dial()
		switch {
		case err == nil && client == nil:
			t.Error("neither a client nor an error")
		case err != nil && strings.Contains(err.Error(), key):
			t.Errorf("the error holds the key: %v", err)
		}
	})
}
