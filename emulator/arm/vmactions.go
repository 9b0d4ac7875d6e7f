package arm

import (
	"net"
	"net/http"
)

func addVMActions(add adder) {
	for _, action := range []vmAction{
		{name: "deallocate", during: "deallocating", after: Deallocated, family: deleteVMLimit, lookAgain: true},
		{name: "powerOff", during: "stopping", after: Stopped, family: updateVMLimit},
		{name: "start", during: "starting", after: Running, family: updateVMLimit},
	} {
		add(http.MethodPost, "virtualmachines/*/"+fold(action.name), action.operation(), func(s *Server, rq *request) answer { return s.power(rq, action) })
	}
	generalize := vmAction{name: "generalize", family: updateVMLimit}
	add(http.MethodPost, "virtualmachines/*/generalize", generalize.operation(), func(s *Server, rq *request) answer { return s.generalize(rq, generalize) })
}

// vmAction is one of the POSTs on a VM. Those that take time show a power state meanwhile and leave
// another behind.
type vmAction struct {
	name   string
	during string
	after  PowerState
	family family

	lookAgain bool // the answer says when to look: recorded for deallocate, and not for powerOff
}

func (a vmAction) operation() string {
	return "Microsoft.Compute/virtualMachines/" + a.name + "/action"
}

func (s *Server) power(rq *request, action vmAction) answer {
	m, refusal := s.actOn(rq, action)
	if m == nil {
		return refusal
	}
	if bad := m.allows(action.name, rq.target.name()); bad != nil {
		return s.refuseAction(rq, m, action, bad)
	}
	reported := s.action(rq, m, action)
	retryAfter := ""
	if action.lookAgain {
		retryAfter = s.options.lookAgain()
	}
	m.state, m.powering = "Updating", action.during
	m.busy = s.begin(rq, operation{region: m.Location, resource: fold(m.ID), action: &reported, retryAfter: retryAfter, apply: func(failed bool) {
		m.settled(failed)
		m.powering = ""
		if !failed {
			m.Power, m.generated = action.after, s.clock.now()
		}
	}}, s.options.actionDuration())
	return s.accepted(rq, m.busy, http.StatusAccepted, nil)
}

// generalize is synchronous: 200 and no body, on a VM that is stopped or deallocated, and again on
// one that is generalized.
func (s *Server) generalize(rq *request, action vmAction) answer {
	m, refusal := s.actOn(rq, action)
	if m == nil {
		return refusal
	}
	if bad := m.allows(action.name, rq.target.name()); bad != nil {
		return s.refuseAction(rq, m, action, bad)
	}
	m.Generalized = true
	reported := s.action(rq, m, action)
	reported.Ended, reported.Status = rq.now, "Succeeded"
	rq.actions = append(rq.actions, reported)
	return answer{status: http.StatusOK}
}

func (s *Server) actOn(rq *request, action vmAction) (*machine, answer) {
	m := s.state.vms[fold(rq.target.id("virtualMachines"))]
	if m == nil {
		t := rq.target
		t.types = t.types[:1]
		return nil, resourceNotFound(t).answer()
	}
	if a, refused := s.limit(rq, m.Location, m.ID, action.family); refused {
		return nil, a
	}
	return m, answer{}
}

// allows is compute's table of the actions that a VM accepts in each state.
func (m *machine) allows(operation, name string) *armError {
	refuse := func(why string) *armError {
		return notAllowed("Operation '%s' is not allowed on VM '%s' since %s", operation, name, why)
	}
	switch {
	case m.busy != nil && !m.busy.over && m.state == "Deleting":
		return refuse("the VM is marked for deletion. You can only retry the Delete operation (or wait for an ongoing one to complete).")
	case m.busy != nil && !m.busy.over:
		return refuse("another operation is in progress.")
	case operation == "generalize" && m.Power == Running:
		return refuse("the VM is running. Please power off explicitly in case you shut down the VM from inside the guest operating system.")
	case operation == "start" && m.Generalized:
		return refuse("the VM is generalized.")
	case operation == "powerOff" && m.Power == Deallocated:
		return refuse("the VM is either deallocated or marked to be deallocated.")
	}
	return nil
}

// refuseAction reports a refused action too: Event Grid has ResourceActionFailure for it.
func (s *Server) refuseAction(rq *request, m *machine, action vmAction, bad *armError) answer {
	reported := s.action(rq, m, action)
	reported.Ended, reported.Status = rq.now, "Failed"
	rq.actions = append(rq.actions, reported)
	return bad.answer()
}

func (s *Server) action(rq *request, m *machine, action vmAction) Action {
	client, _, err := net.SplitHostPort(rq.http.RemoteAddr)
	if err != nil {
		client = rq.http.RemoteAddr
	}
	return Action{
		ID: newGUID(), Operation: action.operation(), ResourceID: m.ID, SubscriptionID: rq.target.subscription,
		CorrelationID: rq.correlate, ClientRequestID: rq.http.Header.Get("x-ms-client-request-id"), ClientIP: client,
		Method: rq.http.Method, URL: s.endpointOf(rq) + rq.http.URL.RequestURI(), Started: rq.now,
	}
}
