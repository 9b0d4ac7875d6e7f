package worker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"goldmint/emulator/arm"
)

// A step of a sequence.
type step func(*rig)

const vmGUID = "aaaaaaaa-bbbb-4ccc-8ddd-%012d"

// vm makes a VM that is running, generation n, and tagged goldmint=capture; options change it.
func vm(name string, n int, options ...func(*arm.VM)) step {
	return func(r *rig) {
		v := arm.VM{
			ID: group + "virtualMachines/" + name, Location: "westeurope", VMID: fmt.Sprintf(vmGUID, n), HyperVGeneration: "V2",
			Tags: map[string]string{"goldmint": "capture"},
		}
		for _, o := range options {
			o(&v)
		}
		r.arm.PutVM(v)
	}
}

// tagged sets tags; an empty value takes one away.
func tagged(pairs ...string) func(*arm.VM) {
	return func(v *arm.VM) {
		for i := 0; i < len(pairs); i += 2 {
			if v.Tags[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(v.Tags, pairs[i])
			}
		}
	}
}

// begin acts on the VM through ARM; do lets the action end too.
func begin(action, name string) step {
	return func(r *rig) {
		r.Helper()
		r.call(http.MethodPost, group+"virtualMachines/"+name+"/"+action, nil)
	}
}

func do(action, name string) step {
	return func(r *rig) {
		r.Helper()
		begin(action, name)(r)
		r.forward(time.Minute)
	}
}

func remove(id string) step {
	return func(r *rig) {
		r.Helper()
		r.call(http.MethodDelete, group+id, nil)
		r.forward(time.Minute)
	}
}

func wait(d time.Duration) step { return func(r *rig) { r.forward(d) } }

func drain(r *rig) { r.Helper(); r.drain() }

// workers sets how many messages are handled at once.
func workers(n int) step { return func(r *rig) { r.parallel = n } }

// A form is how an action's event is written.
type form func(arm.Action) []byte

func grid(a arm.Action) []byte  { return a.EventGrid() }
func cloud(a arm.Action) []byte { return a.CloudEvent() }
func list(a arm.Action) []byte  { return append(append([]byte("[ "), a.EventGrid()...), ']') }

// shouted has another letter case wherever Azure's has varied.
func shouted(a arm.Action) []byte {
	a.ResourceID, a.Operation = strings.ToUpper(a.ResourceID), strings.ToUpper(a.Operation)
	return a.CloudEvent()
}

func urled(a arm.Action) []byte {
	return bytes.ReplaceAll(a.EventGrid(), []byte(`"resourceUri"`), []byte(`"resourceUrl"`))
}

// events sends all that ARM reported since, in order.
func events(r *rig) { deliver(grid)(r) }

// deliver sends all that ARM reported since, in order, in each of the forms: the first under Event
// Grid's MessageId, which a redelivery keeps, the others under new ones.
func deliver(forms ...form) step {
	return func(r *rig) {
		r.Helper()
		r.mu.Lock()
		actions := r.actions
		r.actions = nil
		r.mu.Unlock()
		for i, f := range forms {
			for _, a := range actions {
				id := a.ID
				if i > 0 {
					id = fmt.Sprintf("%s-%d", a.ID, i)
				}
				r.send(id, f(a))
			}
		}
	}
}

// backwards delivers in reverse order.
func backwards(r *rig) {
	r.Helper()
	r.mu.Lock()
	for i, j := 0, len(r.actions)-1; i < j; i, j = i+1, j-1 {
		r.actions[i], r.actions[j] = r.actions[j], r.actions[i]
	}
	r.mu.Unlock()
	events(r)
}

// only keeps what ARM reported of one operation, and loses the others.
func only(operation string) step {
	return func(r *rig) {
		r.mu.Lock()
		defer r.mu.Unlock()
		var kept []arm.Action
		for _, a := range r.actions {
			if strings.Contains(a.Operation, operation) {
				kept = append(kept, a)
			}
		}
		r.actions = kept
	}
}

// message sends a body as it is.
func received(body string) step {
	return func(r *rig) { r.Helper(); r.send("message-"+fmt.Sprint(len(body)), []byte(body)) }
}

// failing lets the first n requests of that method on a path's end get an answer of ARM's.
func failing(n int, method, end string, status int, code string) step {
	return func(r *rig) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.intercept = func(q *http.Request) http.Handler {
			if n > 0 && q.Method == method && strings.HasSuffix(strings.ToLower(q.URL.Path), strings.ToLower(end)) {
				n--
				return answer(status, code)
			}
			return nil
		}
	}
}

// stale lets the first n reads of VMs show the VM as it is now.
func stale(n int, name string) step {
	return func(r *rig) {
		old := r.raw(http.MethodGet, group+"virtualMachines/"+name+"?$expand=instanceView", nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.intercept = func(q *http.Request) http.Handler {
			if n == 0 || q.Method != http.MethodGet || !strings.Contains(q.URL.Path, "/virtualMachines/") {
				return nil
			}
			n--
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(old)
			})
		}
	}
}

// otherImage lets an image of somebody else's have the name.
func otherImage(name string) step {
	return func(r *rig) {
		r.Helper()
		r.arm.AddVM(group+"virtualMachines/somebodys", "westeurope")
		r.call(http.MethodPut, group+"images/"+name, []byte(`{"location":"westeurope","properties":{"hyperVGeneration":"V1","sourceVirtualMachine":{"id":"`+group+`virtualMachines/somebodys"}}}`))
		r.forward(time.Minute)
	}
}

func (r *rig) call(method, path string, body []byte) { r.Helper(); r.raw(method, path, body) }

func (r *rig) get(path string, into any) {
	r.Helper()
	if err := json.Unmarshal(r.raw(http.MethodGet, path, nil), into); err != nil {
		r.Fatal(err)
	}
}

// raw is a plain ARM call.
func (r *rig) raw(method, path string, body []byte) []byte {
	r.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	q, err := http.NewRequestWithContext(r.Context(), method, r.arm.Endpoint()+path+sep+"api-version=2026-04-01", bytes.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer token")
	q.Header.Set("Content-Type", "application/json")
	a, err := r.arm.Client().Do(q)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		r.Fatal(err)
	}
	if a.StatusCode >= 400 && a.StatusCode != http.StatusNotFound {
		r.Fatalf("%s %s: %d %s", method, path, a.StatusCode, text)
	}
	return text
}
