package arm

import (
	"net/http"
	"time"
)

type instanceStatus struct {
	Code          string `json:"code"`
	Level         string `json:"level"`
	DisplayStatus string `json:"displayStatus"`
	Message       string `json:"message,omitempty"`
	Time          string `json:"time,omitempty"`
}

type vmAgent struct {
	Version  string           `json:"vmAgentVersion"`
	Statuses []instanceStatus `json:"statuses"`
}

type diskInstance struct {
	Name     string           `json:"name"`
	Statuses []instanceStatus `json:"statuses"`
}

type instanceView struct {
	VMAgent          *vmAgent         `json:"vmAgent,omitempty"`
	Disks            []diskInstance   `json:"disks"`
	HyperVGeneration string           `json:"hyperVGeneration"`
	Statuses         []instanceStatus `json:"statuses"`
}

func (s *Server) getInstanceView(rq *request) answer {
	m, refusal := s.readVM(rq)
	if m == nil {
		return refusal
	}
	return answer{status: http.StatusOK, body: m.instanceView(rq.now)}
}

// instanceView has the statuses in the recorded order: provisioning, generalized, power.
func (m *machine) instanceView(now time.Time) instanceView {
	provisioned := instanceStatus{Code: "ProvisioningState/succeeded", Level: "Info", DisplayStatus: "Provisioning succeeded", Time: stamp(m.generated)}
	v := instanceView{HyperVGeneration: m.HyperVGeneration, Disks: []diskInstance{}}
	for _, d := range append([]VMDisk{m.OSDisk}, m.DataDisks...) {
		v.Disks = append(v.Disks, diskInstance{Name: d.Name, Statuses: []instanceStatus{provisioned}})
	}
	if m.Power == Running && m.powering == "" {
		v.VMAgent = &vmAgent{Version: "2.9.1.1", Statuses: []instanceStatus{{
			Code: "ProvisioningState/succeeded", Level: "Info", DisplayStatus: "Ready", Message: "Guest Agent is running", Time: stamp(now.Truncate(time.Second)),
		}}}
	}
	if m.busy != nil && !m.busy.over {
		provisioned.Code, provisioned.DisplayStatus = "ProvisioningState/updating", "Updating"
	}
	v.Statuses = append(v.Statuses, provisioned)
	if m.Generalized {
		v.Statuses = append(v.Statuses, instanceStatus{Code: "OSState/generalized", Level: "Info", DisplayStatus: "VM generalized"})
	}
	power := string(m.Power)
	if m.powering != "" {
		power = m.powering
	}
	v.Statuses = append(v.Statuses, instanceStatus{Code: "PowerState/" + power, Level: "Info", DisplayStatus: "VM " + power})
	return v
}
