package build

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldmint/internal/armerr"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

var update = flag.Bool("update", false, "write what Step says into the transcripts")

// TestTranscripts runs testdata/*.txt: lines are observations, indented lines are what Step
// answers. They are a readable specification of a build; `go test ./internal/build -run Transcripts
// -update` writes the answers anew.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(script))
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(script), got); d != "" {
				t.Errorf("transcript differs (-written +now):\n%s", d)
			}
		})
	}
}

// player holds a build between the lines of a transcript.
type player struct {
	t   *testing.T
	p   Policy
	b   Build
	now time.Time
}

var zero = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func play(t *testing.T, script string) string {
	t.Helper()
	p := &player{t: t, p: DefaultPolicy(), now: zero}
	p.request("")
	var out strings.Builder
	for line := range strings.Lines(script) {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(line, "    ") {
			continue
		}
		out.WriteString(line)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if answer := p.line(text); answer != "" {
			fmt.Fprintf(&out, "    %s\n", answer)
		}
	}
	return out.String()
}

// line carries out one line and returns the command that follows.
func (p *player) line(text string) string {
	word, rest, _ := strings.Cut(text, " ")
	args := arguments(rest)
	switch word {
	case "request":
		p.request(rest)
	case "later":
		p.now = p.now.Add(p.duration(rest))
	case "carried": // the build goes through its continuation's JSON
		p.carry()
	case "woken":
		return p.step(Woken{Redelivered: rest == "again"})
	case "absent":
		return p.step(Image{})
	case "image":
		return p.step(p.image(args))
	case "accepted":
		o := Accepted{Token: "token", Date: p.now}
		if rest == "done" {
			o.Token = ""
		}
		return p.step(o)
	case "postponed":
		return p.step(Postponed{At: p.now.Add(p.duration(rest)), Reason: RateLimited})
	case "operation":
		return p.step(p.operation(args))
	case "deleted":
		return p.step(Deleted{})
	case "published":
		return p.step(Published{})
	case "unpublished":
		return p.step(Errored{Verb: Publish})
	case "error":
		return p.step(Errored{Verb: Verb(args["on"]), Err: p.armError(args)})
	default:
		p.t.Fatalf("no such line: %q", text)
	}
	return ""
}

func (p *player) step(o Observation) string {
	var do Command
	p.b, do = p.p.Step(p.b, o, p.now)
	if do.Verb == Continue {
		if d := do.Event.Data.Delay; d != nil {
			return fmt.Sprintf("continue in %s (%s), publish delayed %s until %s", do.At.Sub(p.now), do.Reason, d.Reason, d.Until.Sub(p.now))
		}
		return fmt.Sprintf("continue in %s (%s)", do.At.Sub(p.now), do.Reason)
	}
	said := do.String()
	if r := do.Event.Data.ReplicationStatus; r != nil {
		said += " with replication " + r.AggregatedState
	}
	if do.Event.Type == event.Replicating {
		said += " as " + strings.TrimPrefix(do.Event.ID, p.b.Key()+"/")
	}
	return said
}

func (p *player) request(rest string) {
	args := arguments(rest)
	body := fmt.Sprintf(`{"id":"web","subscriptionId":"11111111-1111-1111-1111-111111111111","resourceGroup":"rg","name":"web","ifExists":%q,"timeout":%q,
		"image":{"location":"westeurope","properties":{"sourceVirtualMachine":{"id":"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"}}}}`,
		or(args["ifExists"], "fail"), or(args["timeout"], "PT2H"))
	if rest == "version" || strings.HasPrefix(rest, "version ") {
		body = fmt.Sprintf(`{"id":"web","subscriptionId":"11111111-1111-1111-1111-111111111111","resourceGroup":"rg","galleryName":"corp","galleryImageName":"web",
			"name":"1.0.0","ifExists":%q,"timeout":%q,"galleryImageVersion":{"location":"westeurope","properties":{"storageProfile":{"source":{"virtualMachineId":
			"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"}},
			"publishingProfile":{"targetRegions":[{"name":"westeurope"},{"name":"northeurope"}]}}}}`, or(args["ifExists"], "fail"), or(args["timeout"], "PT6H"))
	}
	r, err := request.Decode([]byte(body))
	if err != nil {
		p.t.Fatal(err)
	}
	p.b = New(r, "", p.now)
}

func (p *player) carry() {
	text, err := json.Marshal(p.b)
	if err != nil {
		p.t.Fatal(err)
	}
	p.b = Build{}
	if err := json.Unmarshal(text, &p.b); err != nil {
		p.t.Fatal(err)
	}
	if err := p.b.Check(); err != nil {
		p.t.Fatalf("the continuation would be refused: %v", err)
	}
}

func (p *player) image(args map[string]string) Image {
	i := Image{Exists: true, ID: p.b.ImageID(), Location: "westeurope", HyperVGeneration: "V2", State: or(args["state"], "Succeeded")}
	switch args["of"] {
	case "own":
		i.BuildTag = p.b.Tag()
	case "other":
		i.BuildTag = "other/1234"
	}
	if r := args["replicated"]; r != "" {
		i.Replication = &event.Replication{AggregatedState: r}
	}
	for region := range strings.SplitSeq(args["regions"], ",") { // such as westeurope:Completed,northeurope:Replicating
		if name, state, found := strings.Cut(region, ":"); found {
			i.Replication.Summary = append(i.Replication.Summary, event.Region{Region: name, State: state})
		}
	}
	if c := args["created"]; c != "" {
		i.CreatedAt = p.b.RequestedAt.Add(p.duration(c))
	}
	return i
}

func (p *player) operation(args map[string]string) Operation {
	o := Operation{Status: args["status"], Date: p.now}
	if s := args["started"]; s != "" {
		o.StartedAt = p.now.Add(p.duration(s))
	}
	if s := args["wait"]; s != "" {
		o.RetryAfter = p.duration(s)
	}
	if args["code"] != "" {
		args["http"] = "200"
		o.Err = p.armError(args)
	}
	return o
}

func (p *player) armError(args map[string]string) *armerr.Error {
	status, err := strconv.Atoi(or(args["http"], "0"))
	if err != nil {
		p.t.Fatal(err)
	}
	e := &armerr.Error{Status: status, Code: args["code"], Message: "in Azure's words"}
	if s := args["wait"]; s != "" {
		e.RetryAfter = p.duration(s)
	}
	return e
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func arguments(rest string) map[string]string {
	args := map[string]string{}
	for _, f := range strings.Fields(rest) {
		k, v, _ := strings.Cut(f, "=")
		args[k] = v
	}
	return args
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
