package request_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goldmint/internal/request"
	"goldmint/schema"

	"github.com/google/go-cmp/cmp"
)

// notGiven are the members of an object that are null or "".
var notGiven = regexp.MustCompile(`"\w+": (null|""),?\s*|,\s*"\w+": (null|"")`)

// The files in testdata/cases are requests as templates, tools and people make them.
func TestCases(t *testing.T) {
	for file, want := range map[string]string{
		"bicep-nulls.json":              "",
		"terraform-empty-blob-uri.json": "",
		"vm-name-unicode.json":          "",
		"disk-name-unicode.json":        "",
		"resource-group-thai.json":      "",
		"resource-group-circled-digit.json": `InvalidRequest: resourceGroup: must be a resource group's name: 1 to 90 letters, digits, '_', '-', '.', '(' or ')',` +
			` not ending in '.'; it is "gruppe①"`,
		"unexpanded-macro-in-blob-uri.json": `InvalidRequest: image.properties.storageProfile.osDisk.blobUri: still holds the placeholder $(Build.BuildId); fill it in`,
	} {
		text, err := os.ReadFile(filepath.Join("testdata/cases", file))
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			wantError(t, string(text), want)
			continue
		}
		r, err := request.Decode(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if form := string(r.Canonical()); strings.Contains(form, "null") || strings.Contains(form, `""`) {
			t.Errorf("%s: the canonical form keeps what was not given: %s", file, form)
		}
		without := notGiven.ReplaceAll(text, nil)
		if plain, err := request.Decode(without); err != nil || plain.Digest() != r.Digest() {
			t.Errorf("%s: it is another request than the one without what is not given: %v\n%s", file, err, without)
		}
	}
}

// Null and empty text mean "not given", but for the values of tags and metadata, where empty text
// is a value.
func TestNotGiven(t *testing.T) {
	plain, err := request.Decode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`"ifExists": "fail"`: `"ifExists": null`,
		`"timeout": "PT2H"`:  `"timeout": ""`,
		`"osType": "Linux",`: `"osType": "Linux", "blobUri": "", "snapshot": {"id": ""}, "diskSizeGB": null,`,
		`"properties": {`:    `"properties": {"sourceVirtualMachine": {"id": null}, "provisioningState": null,`,
		`"tags": {"team":`:   `"tags": {"none": null, "team":`,
		`"metadata": {`:      `"$schema": "https://example.com/build-request.schema.json", "metadata": {"none": null, `,
	} {
		r, err := request.Decode([]byte(replace(t, from, to)))
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		if diff := cmp.Diff(string(plain.Canonical()), string(r.Canonical())); diff != "" {
			t.Errorf("%s: another request (-want +got):\n%s", to, diff)
		}
	}
	wantError(t, replace(t, `"name": "web"`, `"name": ""`), "InvalidRequest: name: is missing")
	kept, err := request.Decode([]byte(replace(t, `"tags": {`, `"tags": {"empty": "",`)))
	if err != nil || kept.Image.Tags["empty"] == nil {
		t.Errorf("an empty tag is lost: %v, %v", kept.Image.Tags, err)
	}
}

// The message names a variable that a pipeline did not replace, for each kind of pipeline.
func TestPlaceholders(t *testing.T) {
	for _, macro := range []string{
		"$(Build.BuildId)", "${{ github.sha }}", "${VERSION}", "%BUILD_ID%", "{{version}}", "#{Octopus.Release}#", "<version>", "$[variables.v]", "$env:VERSION",
		"$[[ inputs.version ]]", "<< pipeline.number >>", "<+pipeline.sequenceId>", "<%= version %>", "$BUILD_NUMBER", "@{version}",
	} {
		wantError(t, replace(t, `"name": "web"`, `"name": "web-`+macro+`"`), "InvalidRequest: name: still holds the placeholder "+macro+"; fill it in")
	}
	for _, whole := range []string{"__VERSION__", "$VERSION"} {
		wantError(t, replace(t, `"name": "web"`, `"name": "`+whole+`"`), "InvalidRequest: name: still holds the placeholder "+whole+"; fill it in")
	}
	if _, err := request.Decode([]byte(replace(t, `vhds/data.vhd`, `vhds/%C3%A4%20%C3abc%20.vhd`))); err != nil {
		t.Errorf("an escaped URL is taken for a placeholder: %v", err)
	}
}

// .NET's serializer wraps a text in binary XML; other wrappings are named.
func TestWrappings(t *testing.T) {
	const head = "@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/"
	plain, err := request.Decode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	length := len(good)
	for name, wrapped := range map[string]string{
		"two bytes of length":  head + "\x9b" + string([]byte{byte(length), byte(length >> 8)}) + good,
		"four bytes of length": head + "\x9d" + string([]byte{byte(length), byte(length >> 8), 0, 0}) + good,
		"in pieces":            head + "\x98\x10" + good[:16] + "\x9b" + string([]byte{byte(length - 16), byte((length - 16) >> 8)}) + good[16:],
	} {
		r, err := request.Decode([]byte(wrapped))
		if err != nil || r.Digest() != plain.Digest() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for body, want := range map[string]string{
		head + "\x9b\xff\xff{}": "InvalidEncoding: the body is binary XML of .NET's DataContractSerializer and broken off; send plain JSON" +
			" (useDataContractSerializer: false in Azure Pipelines' PublishToAzureServiceBus)",
		`<string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">{}</string>`: "InvalidJSON: the body is XML that holds a string, as .NET's serializers write it; send the JSON itself, as bytes",
		base64.StdEncoding.EncodeToString([]byte(good)):                                   "InvalidJSON: the body is base64 of JSON; send the JSON itself",
		"%7B%22name%22%3A1%7D":        "InvalidJSON: the body is JSON that was escaped for a URL; send the JSON itself",
		"\xac\xed\x00\x05t\x00\x02{}": "InvalidEncoding: the body is an object that Java serialized; send the JSON itself, as bytes",
		`{"specversion":"1.0","type":"com.dapr.event.sent","data":` + good + `}`: "InvalidRequest: data: holds the request: its sender wrapped it in a CloudEvent" +
			" (Dapr does so unless rawPayload is true); send the request alone",
		`{"messageId":"m","messageType":["urn:message:Build"],"message":` + goodVersion + `}`: "InvalidRequest: message: holds the request: its sender wrapped it as MassTransit does" +
			" (UseRawJsonSerializer turns it off); send the request alone",
		`{"ContentType":"application/json","ContentData":"` + base64.StdEncoding.EncodeToString([]byte(good)) + `"}`: "InvalidRequest: ContentData: holds the request: its sender wrapped it" +
			" as Logic Apps show a message, in base64; send the request alone",
		`{"body":"{\"name\":\"web\"}"}`: "InvalidRequest: body: holds the request: its sender wrapped it; send the request alone",
		"\x1f\x8b\x08\x00":              "InvalidEncoding: the body is compressed with gzip; send the JSON itself",
	} {
		wantError(t, body, want)
	}
}

func TestQuotesAreAskedForWhereTextIsWanted(t *testing.T) {
	for path, body := range map[string]string{
		"metadata.commit": replace(t, `"1f6c0ad"`, `1.5`),
		"image.tags.team": replace(t, `"team": "web"`, `"team": true`),
		"name":            replace(t, `"name": "web"`, `"name": 20261123`),
		"resourceGroup":   replace(t, `"resourceGroup": "rg"`, `"resourceGroup": 5e12345`),
	} {
		_, err := request.Decode([]byte(body))
		if err == nil || !strings.HasPrefix(err.Error(), "InvalidRequest: "+path+": must be a string, not ") || !strings.HasSuffix(err.Error(), "; put it in quotes") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// ConvertTo-Json of PowerShell goes 2 levels deep unless -Depth says more.
func TestCutOffByPowerShell(t *testing.T) {
	for _, text := range []string{"@{lun=1; blobUri=}", "System.Collections.Hashtable", "System.Object[]"} {
		body := fmt.Sprintf(`{"resourceGroup": "rg", "name": "web", "image": {"location": "westeurope", "properties": %q}}`, text)
		wantError(t, body, "InvalidRequest: image.properties: was cut off by PowerShell's ConvertTo-Json, which goes 2 levels deep: call it with -Depth 20")
	}
}

// field is a field of the contract that a sender may give: a document that holds a value there, and
// its path.
type field struct{ path, kind string }

// fields are all of them but those in tags and metadata, whose names are the sender's own.
func fields(t *testing.T) []field {
	t.Helper()
	var contract struct {
		Defs map[string]map[string]any `json:"$defs"`
	}
	var root map[string]any
	for _, v := range []any{&contract, &root} {
		if err := json.Unmarshal(schema.BuildRequest, v); err != nil {
			t.Fatal(err)
		}
	}
	var all []field
	var walk func(s map[string]any, path string)
	walk = func(s map[string]any, path string) {
		for s["$ref"] != nil {
			name := strings.TrimPrefix(s["$ref"].(string), "#/$defs/")
			if name == "readOnly" {
				return
			}
			s = contract.Defs[name]
		}
		kind, _ := s["type"].(string)
		if path != "" && path != "$schema" {
			all = append(all, field{path, kind})
		}
		if items, ok := s["items"].(map[string]any); ok {
			walk(items, path+"[0]")
		}
		properties, _ := s["properties"].(map[string]any)
		for name, p := range properties {
			walk(p.(map[string]any), strings.TrimPrefix(path+"."+name, "."))
		}
	}
	walk(root, "")
	return all
}

// with is a request that holds a value at a path, and little else.
func (f field) with(value string) string {
	steps := strings.Split(strings.ReplaceAll(f.path, "[0]", ".[0]"), ".")
	for _, step := range slices.Backward(steps) {
		if step == "[0]" {
			value = "[" + value + "]"
		} else {
			value = fmt.Sprintf("{%q: %s}", step, value)
		}
	}
	return value
}

// problem is the message about a field.
func (f field) problem(t *testing.T, body string) string {
	t.Helper()
	_, err := request.Decode([]byte(body))
	var invalid *request.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("%s: %v", body, err)
	}
	for _, p := range invalid.Problems {
		if p.Path == f.path {
			return p.Message
		}
	}
	return ""
}

// In every field the message for an unreplaced variable says that it is a placeholder; where text
// is wanted, the message for a number says to put it in quotes.
func TestEveryField(t *testing.T) {
	all := fields(t)
	if len(all) < 100 {
		t.Fatalf("the contract has %d fields", len(all))
	}
	for _, f := range all {
		for _, macro := range []string{"$(Build.BuildId)", "${{ github.sha }}", "#{Octopus.Release}#", "$CI_COMMIT_SHA", "%BUILD_ID%"} {
			if got, want := f.problem(t, f.with(strconv.Quote("x"+macro))), "still holds the placeholder "+macro+"; fill it in"; got != want {
				t.Errorf("%s: got %q, want %q", f.path, got, want)
			}
		}
		for value, kind := range map[string]string{"7": "number", "1.50": "number", "true": "boolean"} {
			if got, want := f.problem(t, f.with(value)), "must be a string, not "+kind+"; put it in quotes"; f.kind == "string" && got != want {
				t.Errorf("%s: got %q, want %q", f.path, got, want)
			}
		}
	}
}
