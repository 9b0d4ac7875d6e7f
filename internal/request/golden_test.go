package request_test

import (
	"os"
	"path/filepath"
	"testing"

	"goldmint/internal/request"
)

// A digest is part of a build's identity: those of the ten examples stay what they were when images
// were all that could be asked for.
func TestDigestsOfExamples(t *testing.T) {
	for file, want := range map[string]string{
		"from-blob-encrypted.json":              "d1d2f9468b51036ba2e3674c4368b07f69d1328bb49a1fcfb87f383524549763",
		"from-blob-with-data-disk.json":         "ca76b77e78e7c84e14c6a0ff6705db4260c72e7898e839fcdfbfe1162da0c006",
		"from-blob.json":                        "48aad1d6e2e9a23e001fad3c4928543d7ba0cc4593f0fe00da3ee87d980f7fa0",
		"from-managed-disk-encrypted.json":      "83cb7cdb9ebe825dc5eea6b0f571128b1442f698333e5f51fe79328915755a9c",
		"from-managed-disk-with-data-disk.json": "8b52e941da84a3340484367a021964bc3d591d7986ec5603c6825a4221d8dfc6",
		"from-managed-disk.json":                "10ef0e17a4ccfa3e78a88273dd415efaf2903dd01ce00b0fe62415e02b2a24e7",
		"from-snapshot-encrypted.json":          "1086c5e44c96202bca5b2d089844041c3f34dc941c8bcdc291baa522c65dec6b",
		"from-snapshot-with-data-disk.json":     "9308e7ec1efbd0556786e0d209592880696bb18677d2230ffa44ea6f036f0df9",
		"from-snapshot.json":                    "67ba78ecdb8a76675f29664aedf434cf64723ebcd77e8acab942909e0cd76e27",
		"from-vm.json":                          "67be8042fc938c2812a9729a71b952cd248029a447f565a1b7c2cc810bbe3d67",
	} {
		text, err := os.ReadFile(filepath.Join("../../examples/requests", file))
		if err != nil {
			t.Fatal(err)
		}
		r, err := request.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Digest(); got != want {
			t.Errorf("%s: digest %s, want %s", file, got, want)
		}
	}
}
