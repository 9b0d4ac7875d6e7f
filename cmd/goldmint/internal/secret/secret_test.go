package secret_test

import (
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/secret"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0=;EntityPath=q": "Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey=***;EntityPath=q",
		"https://user:hunter2@host/path":                                                "https://user:***@host/path",
		"https://a.blob.core.windows.net/c?sig=ab":                                      "https://a.blob.core.windows.net/c?sig=***",
		`{"blobUri":"https://a.example.net/c?sv=1\u0026sig=ab"}`:                        `{"blobUri":"https://a.example.net/c?sv=1\u0026sig=***"}`,
		"dial tcp 127.0.0.1:5671: refused":                                              "dial tcp 127.0.0.1:5671: refused",
	} {
		if got := secret.Redact(text); got != want {
			t.Errorf("%s", got)
		}
	}
}

// Each says where the value belongs, and repeats nothing of it.
func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"sb-goldmint": "", "sb.example.net": "",
		"sb-goldmint\r": "--x ends in a carriage return",
		"Endpoint=sb://x;SharedAccessKeyName=hunter2;SharedAccessKey=hunter2": "belongs in GOLDMINT_CONNECTION_STRING",
		"https://user:hunter2@host": "holds a password",
	} {
		err := secret.Check("--x", text)
		if want == "" {
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
