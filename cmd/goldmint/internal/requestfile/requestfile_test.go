package requestfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/requestfile"
	"goldmint/internal/request"

	"github.com/google/go-cmp/cmp"
)

const vm = "/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/golden/providers/Microsoft.Compute/virtualMachines/web"

const good = `# a comment
id: web-1
resourceGroup: golden
name: &name web
image:
  location: westeurope # where the machine is
  tags: {role: *name}
  properties:
    sourceVirtualMachine:
      id: ` + vm + `
`

func TestRead(t *testing.T) {
	want := read(t, "web.json", `{
  // a comment, and a URL that is none: "https://x"
  "id": "web-1", "resourceGroup": "golden", "name": "web", /* another
  one */
  "image": {"location": "westeurope", "tags": {"role": "web"}, "properties": {"sourceVirtualMachine": {"id": "`+vm+`"}}}}`)
	commas := strings.NewReplacer("}", ", }").Replace(string(want.Canonical()))
	const head = "@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/\x9b"
	length := len(want.Canonical())
	for name, text := range map[string]string{
		"commas.jsonc":  commas,
		"wrapped.json":  head + string([]byte{byte(length), byte(length >> 8)}) + string(want.Canonical()), // a dead letter, as .NET wrote it
		"web.yaml":      good,
		"-":             good,
		"with-bom.yaml": "\xef\xbb\xbf" + good,
		"crlf.yml":      strings.ReplaceAll(good, "\n", "\r\n"),
		"flow.yaml":     "{id: web-1, resourceGroup: golden, name: web, image: {location: westeurope, tags: {role: web}, properties: {sourceVirtualMachine: {id: " + vm + "}}}}",
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, name, text)
			if diff := cmp.Diff(string(want.Canonical()), string(got.Canonical())); diff != "" {
				t.Errorf("YAML and JSON differ:\n%s", diff)
			}
		})
	}
}

// The examples are requests in JSON without comments: read here they are what the handler reads.
func TestReadExamples(t *testing.T) {
	files, err := filepath.Glob("../../../../examples/requests/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("examples: %d, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := request.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, file, string(text)); got.Digest() != want.Digest() {
			t.Errorf("%s: digest %s, want %s", file, got.Digest(), want.Digest())
		}
	}
}

func TestSettings(t *testing.T) {
	r := read(t, "web.yaml", good,
		"name=20261123", "image.location=West US", `image.tags["cost.center"]=7`, "metadata.run=1234", "timeout=PT3H",
		"image.properties={}",
		"image.properties.storageProfile.osDisk={\"osType\":\"Linux\",\"osState\":\"Generalized\",\"blobUri\":\"https://acct.blob.core.windows.net/c/os.vhd\"}",
		"image.properties.storageProfile.dataDisks[0].lun=3",
		"image.properties.storageProfile.dataDisks[0].blobUri=https://acct.blob.core.windows.net/c/d.vhd?",
		"image.properties.storageProfile.dataDisks[0].blobUri=https://acct.blob.core.windows.net/c/d.vhd",
		"image.properties.storageProfile.zoneResilient=true",
	)
	const want = `{"id":"web-1","resourceGroup":"golden","name":"20261123","ifExists":"fail","timeout":"PT3H","metadata":{"run":"1234"},` +
		`"image":{"location":"West US","properties":{"hyperVGeneration":"V1","storageProfile":{"dataDisks":[{"blobUri":"https://acct.blob.core.windows.net/c/d.vhd","lun":3}],` +
		`"osDisk":{"blobUri":"https://acct.blob.core.windows.net/c/os.vhd","osState":"Generalized","osType":"Linux"},"zoneResilient":true}},` +
		`"tags":{"cost.center":"7","role":"web"}}}`
	if diff := cmp.Diff(want, string(r.Canonical())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestShow(t *testing.T) {
	for name, test := range map[string]struct {
		file, text string
		settings   []string
		want       string
	}{
		"a few mistakes": {file: "web.yaml", text: `resourceGroup: golden
name: web/1
image:
  locaton: westeurope
  properties:
    storageProfile:
      osDisk:
        osType: Linus
        osState: Generalized
        blobUri: "https://acct.blob.core.windows.net/c/os.vhd"
      dataDisks:
      - {lun: 64, blobUri: "https://acct.blob.core.windows.net/c/d.vhd"}
`, want: `web.yaml:2:1: name: must be an image's name: 1 to 80 letters, digits, '_', '.' or '-', starting with a letter or digit and ending with a letter, digit or '_'; it is "web/1"
    2 | name: web/1
      | ^^^^
web.yaml:3:1: image.location: is missing: the region of the image, such as westeurope
    3 | image:
      | ^^^^^
web.yaml:4:3: image.locaton: is unknown; did you mean "location"?
    4 |   locaton: westeurope
      |   ^^^^^^^
web.yaml:8:9: image.properties.storageProfile.osDisk.osType: must be "Windows" or "Linux", not "Linus"; did you mean "Linux"?
    8 |         osType: Linus
      |         ^^^^^^
web.yaml:12:10: image.properties.storageProfile.dataDisks[0].lun: must be from 0 to 63; it is 64
   12 |       - {lun: 64, blobUri: "https://acct.blob.core.windows.net/c/d.vhd"}
      |          ^^^
`},
		"not JSON": {file: "a.json", text: "{\n  \"id\": \"x\",\n  oops\n}", want: `a.json:3:3: the body is not JSON: line 3, column 3: invalid character 'o' looking for beginning of object key string
    3 |   oops
      |   ^^^^
`},
		"not JSON behind a comment": {file: "a.json", text: "{\n  \"id\": \"x\",\n  // c\n  oops\n}", want: `a.json:4:3: the body is not JSON: line 4, column 3: invalid literal: oops
    4 |   oops
      |   ^^^^
`},
		"not YAML": {file: "a.yaml", text: "id: x\n\tname: y\n", want: `a.yaml:2:1: the file is not YAML: found character '	' that cannot start any token
    2 | 	name: y
      | ^
`},
		"a setting": {
			file: "a.yaml", text: good, settings: []string{"image.location=West_Europe"},
			want: `--set image.location=West_Europe: image.location: must be a region such as westeurope or "West Europe"; it is "West_Europe"
      | image.location=West_Europe
      |                ^^^^^^^^^^^
`,
		},
		"a setting that is JSON": {
			file: "a.yaml", text: good, settings: []string{`image.tags={"é": "x", "team": 1}`},
			want: `--set image.tags={"é": "x", "team": 1}: image.tags.team: must be a string, not number; put it in quotes
      | image.tags={"é": "x", "team": 1}
      |                       ^^^^^^
`,
		},
		"given twice":        {file: "a.yaml", text: good + "name: other\n", want: "a.yaml:11:1: name: appears twice; keep one of them\n   11 | name: other\n      | ^^^^\n"},
		"two documents":      {file: "a.yaml", text: good + "---\n" + good, want: "a.yaml:13:1: the file holds more than one document; a request is one\n   13 | id: web-1\n      | ^^\n"},
		"merge key":          {file: "a.yaml", text: "a: &a {b: 1}\nc:\n  <<: *a\n", want: "a.yaml:3:3: merge keys (<<) are not understood here; write the fields out\n    3 |   <<: *a\n      |   ^^\n"},
		"tag":                {file: "a.yaml", text: "a: !secret x\n", want: "a.yaml:1:4: the tag !secret is not understood here; leave it out\n    1 | a: !secret x\n      |    ^^^^^^^\n"},
		"an alias of itself": {file: "a.yaml", text: "a: &a [*a]\n", want: "a.yaml:1:8: there is no anchor &a before this place\n    1 | a: &a [*a]\n      |        ^^\n"},
		"Latin-1":            {file: "a.yaml", text: "name: f\xfcr\n", want: "a.yaml:1:8: line 1, column 8: byte 0xFC is not UTF-8 (in Latin-1 it is 'ü'); send the body as UTF-8\n    1 | name: f\ufffdr\n      |        ^^\n"},
		"comments alone":     {file: "a.yaml", text: "# nothing\n", want: "a.yaml: there is no request in it; `goldmint new` writes one to start from\n"},
		"empty":              {file: "a.yaml", text: " \n", want: "a.yaml: there is no request in it; `goldmint new` writes one to start from\n"},
		"no object":          {file: "a.yaml", text: "- a\n", want: "a.yaml:1:1: the body is a JSON array; send one JSON object\n    1 | - a\n      | ^\n"},
		"number for text":    {file: "a.yaml", text: strings.Replace(good, "web-1", "0x10", 1), want: "a.yaml:2:1: id: must be a string, not number; put it in quotes\n    2 | id: 0x10\n      | ^^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := requestfile.Read(test.file, []byte(test.text), parse(t, test.settings))
			var invalid *requestfile.Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v", err)
			}
			var got strings.Builder
			invalid.Show(&got, false)
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// YAML reads 20261123 as a number and true as a boolean: where text is wanted, the error says that
// it has to be put in quotes.
func TestNumbersWhereTextIsWanted(t *testing.T) {
	text, err := os.ReadFile("testdata/numbers-where-text-is-wanted.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = requestfile.Read("a.yaml", text, nil)
	var invalid *requestfile.Invalid
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, p := range invalid.Problems {
		told[p.Path] = strings.HasSuffix(p.Message, "; put it in quotes")
	}
	for _, path := range []string{"name", "metadata.sha", "metadata.version", "image.tags.release", "image.tags.temp", "image.tags.port"} {
		if !told[path] {
			t.Errorf("%s: got %v", path, invalid.Problems)
		}
	}
}

// Where text is wanted, the error for a number says to put it in quotes, in every format.
func TestQuotesAreAskedFor(t *testing.T) {
	const yaml = "resourceGroup: 7\nname: 8\nmetadata: {run: 9}\nimage: {location: 1, tags: {team: true}, properties: {sourceVirtualMachine: {id: 2}}}\n"
	const json = `{"resourceGroup": 7, "name": 8, "metadata": {"run": 9}, "image": {"location": 1, "tags": {"team": true}, "properties": {"sourceVirtualMachine": {"id": 2}}}}`
	const set = `image={"location": 1, "tags": {"team": true}, "properties": {"sourceVirtualMachine": {"id": 2}}}`
	for name, test := range map[string]struct {
		file, text string
		settings   []string
		want       int
	}{
		"YAML":  {"a.yaml", yaml, nil, 6},
		"JSON":  {"a.json", json, nil, 6},
		"--set": {"a.yaml", "resourceGroup: rg\nname: x\n", []string{set, "name=8", "metadata.run=9"}, 3}, // a value of its own is text
	} {
		t.Run(name, func(t *testing.T) {
			_, err := requestfile.Read(test.file, []byte(test.text), parse(t, test.settings))
			var invalid *requestfile.Invalid
			if !errors.As(err, &invalid) || len(invalid.Problems) != test.want {
				t.Fatalf("got %v", err)
			}
			for _, p := range invalid.Problems {
				if !strings.HasPrefix(p.Message, "must be a string, not ") || !strings.HasSuffix(p.Message, "; put it in quotes") {
					t.Error(p)
				}
			}
		})
	}
}

func read(t *testing.T, name, text string, settings ...string) request.Request {
	t.Helper()
	r, err := requestfile.Read(name, []byte(text), parse(t, settings))
	var invalid *requestfile.Invalid
	if errors.As(err, &invalid) {
		var b strings.Builder
		invalid.Show(&b, false)
		t.Fatal(b.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t *testing.T, texts []string) []requestfile.Setting {
	t.Helper()
	var settings []requestfile.Setting
	for _, text := range texts {
		s, err := requestfile.ParseSetting(text)
		if err != nil {
			t.Fatal(err)
		}
		settings = append(settings, s)
	}
	return settings
}

// A minified file is one long line: what is shown of it is the part with the mistake.
func TestShowLongLine(t *testing.T) {
	text := `{"resourceGroup":"golden","metadata":{"filler":"` + strings.Repeat("x", 300) + `"},"nam":"web","image":{}}`
	_, err := requestfile.Read("web.json", []byte(text), nil)
	var invalid *requestfile.Invalid
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	var got strings.Builder
	invalid.Show(&got, false)
	found := false
	lines := strings.Split(got.String(), "\n")
	for i, line := range lines {
		if len([]rune(line)) > 120 && strings.Contains(line, "|") {
			t.Errorf("a line of %d characters: %s", len([]rune(line)), line)
		}
		if strings.Contains(line, `nam: is unknown`) {
			found = true
			from := strings.Index(lines[i+2], "^")
			if under := []rune(lines[i+1])[from : from+5]; string(under) != `"nam"` {
				t.Errorf("the caret stands under %q", string(under))
			}
		}
	}
	if !found {
		t.Errorf("got %s", got.String())
	}
}

// What is shown goes to logs: a SAS token in it must not.
func TestShowHidesTokens(t *testing.T) {
	text := strings.Replace(good, "sourceVirtualMachine:", "storageProfile: {osDisk: {blobUri: \"https://acct.blob.core.windows.net/c/b.vhd?sig=s3cret\"}}", 1)
	setting := "image.properties.storageProfile.osDisk.blobUri=https://acct.blob.core.windows.net/c/b.vhd?sig=s3cret"
	for _, settings := range [][]string{nil, {setting}} {
		_, err := requestfile.Read("web.yaml", []byte(text), parse(t, settings))
		var invalid *requestfile.Invalid
		if !errors.As(err, &invalid) {
			t.Fatal(err)
		}
		var got strings.Builder
		invalid.Show(&got, false)
		if strings.Contains(got.String(), "s3cret") {
			t.Errorf("the token is shown:\n%s", got.String())
		}
	}
}

func TestParseSettingRefuses(t *testing.T) {
	for _, text := range []string{"", "name", "=x", ".name=x", "name.=x", "a..b=x", "[0]=x", "a[x]=x", "a[-1]=x", `a["b]=x`, `a["b"=x`, "a[0]b=x"} {
		if _, err := requestfile.ParseSetting(text); err == nil || !strings.Contains(err.Error(), "--set "+text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSettingFindsNoPlace(t *testing.T) {
	for text, want := range map[string]string{
		"image.tags[0]=x":        "is no array",
		"name.first=x":           "",
		"image[\"tags\"].role=x": "",
		"image.properties.storageProfile.dataDisks[1].lun=1": "the next one is [0]",
	} {
		_, err := requestfile.Read("web.yaml", []byte(good), parse(t, []string{text}))
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Read never panics, and what it accepts is a request whose canonical form the handler accepts.
func FuzzRead(f *testing.F) {
	f.Add("a.yaml", good, "image.location=westeurope")
	f.Add("a.json", `{"name": "x", /* c */ "image": {"tags": {"a": [1, {}]}}}`, `image.tags["a"][0]=2`)
	f.Add("-", "a: &a [1, *b]\nb: *a\n? c\n: |\n  d\n", "a=1")
	f.Fuzz(func(t *testing.T, name, text, setting string) {
		var settings []requestfile.Setting
		if s, err := requestfile.ParseSetting(setting); err == nil {
			settings = append(settings, s)
		}
		r, err := requestfile.Read(name, []byte(text), settings)
		var invalid *requestfile.Invalid
		if errors.As(err, &invalid) {
			var shown strings.Builder
			invalid.Show(&shown, false)
		}
		if err != nil {
			return
		}
		if _, err := request.Decode(r.Canonical()); err != nil {
			t.Fatal(err)
		}
	})
}
