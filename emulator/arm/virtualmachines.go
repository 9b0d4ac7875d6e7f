package arm

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// vmBody is the VM resource. Its properties are kept as they came; those that matter to images are
// read out of them.
type vmBody struct {
	Name             string           `json:"name"`
	ID               string           `json:"id"`
	Type             string           `json:"type"`
	Location         string           `json:"location"`
	Tags             tags             `json:"tags,omitzero"`
	Zones            []string         `json:"zones,omitempty"`
	Plan             map[string]any   `json:"plan,omitempty"`
	Identity         map[string]any   `json:"identity,omitempty"`
	ExtendedLocation map[string]any   `json:"extendedLocation,omitempty"`
	Resources        []map[string]any `json:"resources,omitempty"`
	Properties       map[string]any   `json:"properties"`
}

func addVirtualMachines(add adder) {
	const action = "Microsoft.Compute/virtualMachines/"
	add(http.MethodPut, "virtualmachines/*", action+"write", (*Server).putVM)
	add(http.MethodPatch, "virtualmachines/*", action+"write", (*Server).patchVM)
	add(http.MethodGet, "virtualmachines/*", action+"read", (*Server).getVM)
	add(http.MethodDelete, "virtualmachines/*", action+"delete", (*Server).deleteVM)
	add(http.MethodGet, "virtualmachines", action+"read", (*Server).listVMs)
	add(http.MethodGet, "@virtualmachines", action+"read", (*Server).listVMs)
	add(http.MethodGet, "virtualmachines/*/instanceview", action+"instanceView/read", (*Server).getInstanceView)
	addVMActions(add)
}

// vmSettings are the properties of a VM's PUT that images depend on.
type vmSettings struct {
	HyperVGeneration       string       `json:"hyperVGeneration"`
	VirtualMachineScaleSet *subResource `json:"virtualMachineScaleSet"`
	SecurityProfile        struct {
		SecurityType string `json:"securityType"`
	} `json:"securityProfile"`
	StorageProfile struct {
		ImageReference struct {
			ID        string `json:"id"`
			Publisher string `json:"publisher"`
			Offer     string `json:"offer"`
			SKU       string `json:"sku"`
		} `json:"imageReference"`
		OSDisk    vmDiskSettings   `json:"osDisk"`
		DataDisks []vmDiskSettings `json:"dataDisks"`
	} `json:"storageProfile"`
	OSProfile struct {
		WindowsConfiguration *struct{} `json:"windowsConfiguration"`
	} `json:"osProfile"`
}

type vmDiskSettings struct {
	Lun         int32  `json:"lun"`
	Name        string `json:"name"`
	OSType      string `json:"osType"`
	Caching     string `json:"caching"`
	DiskSizeGB  int32  `json:"diskSizeGB"`
	ManagedDisk struct {
		ID                 string `json:"id"`
		StorageAccountType string `json:"storageAccountType"`
	} `json:"managedDisk"`
	VHD struct {
		URI string `json:"uri"`
	} `json:"vhd"`
	DiffDiskSettings *struct{} `json:"diffDiskSettings"`
}

func (d vmDiskSettings) disk() VMDisk {
	return VMDisk{
		Lun: d.Lun, Name: d.Name, Caching: d.Caching, SizeGB: d.DiskSizeGB, VHD: d.VHD.URI,
		ManagedDiskID: d.ManagedDisk.ID, AccountType: d.ManagedDisk.StorageAccountType,
	}
}

func (b vmBody) vm() (VM, *armError) {
	var set vmSettings
	text, err := json.Marshal(b.Properties)
	if err == nil {
		err = json.Unmarshal(text, &set)
	}
	if err != nil {
		return VM{}, invalidContent(unreadableJSON(err))
	}
	vm := VM{
		ID: b.ID, Location: b.Location, Tags: b.Tags, SecurityType: set.SecurityProfile.SecurityType,
		HyperVGeneration: set.HyperVGeneration, OSType: set.StorageProfile.OSDisk.OSType,
		OSDisk: set.StorageProfile.OSDisk.disk(), EphemeralOSDisk: set.StorageProfile.OSDisk.DiffDiskSettings != nil,
	}
	if vm.SecurityType == "Standard" {
		vm.SecurityType = ""
	}
	reference := set.StorageProfile.ImageReference
	vm.ImageID = reference.ID
	if set.OSProfile.WindowsConfiguration != nil || strings.Contains(fold(reference.Publisher+" "+reference.Offer), "windows") {
		setDefault(&vm.OSType, "Windows")
	}
	if sku := fold(reference.SKU); strings.Contains(sku, "gen2") || strings.HasSuffix(sku, "-g2") {
		setDefault(&vm.HyperVGeneration, "V2")
	}
	if set.VirtualMachineScaleSet != nil {
		vm.ScaleSetID = set.VirtualMachineScaleSet.ID
	}
	for _, d := range set.StorageProfile.DataDisks {
		vm.DataDisks = append(vm.DataDisks, d.disk())
	}
	return vm, nil
}

// checkProfile refuses a VM with an OS to set up and without an administrator.
func (b vmBody) checkProfile() *armError {
	profile, given := b.Properties["osProfile"].(map[string]any)
	if _, named := profile["adminUsername"].(string); given && !named {
		return computeError(http.StatusBadRequest, "InvalidParameter", "adminUsername", "Required parameter 'adminUsername' is missing (null).")
	}
	return nil
}

// checkIDs is ARM's own check of every id in a body of any form.
func checkIDs(at string, v any) *armError {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if id, ok := v[key].(string); ok && key == "id" {
				if bad := linkedID(at+".id", id); bad != nil {
					return bad
				}
			}
			if bad := checkIDs(at+"."+key, v[key]); bad != nil {
				return bad
			}
		}
	case []any:
		for n, one := range v {
			if bad := checkIDs(fmt.Sprintf("%s[%d]", at, n), one); bad != nil {
				return bad
			}
		}
	}
	return nil
}

func (s *Server) putVM(rq *request) answer {
	var in vmBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	location, bad := s.location(in.Location, "virtualMachines")
	if bad != nil {
		return bad.answer()
	}
	in.ID, in.Location = rq.target.id("virtualMachines"), location
	if bad := checkIDs("properties", in.Properties); bad != nil {
		return bad.answer()
	}
	if a, refused := s.limit(rq, location, in.ID, putVMLimit); refused {
		return a
	}
	if !validName(rq.target.name()) {
		return invalidName("vmName").answer()
	}
	vm, bad := in.vm()
	if bad != nil {
		return bad.answer()
	}
	if bad := in.checkProfile(); bad != nil {
		return bad.answer()
	}
	storage, _ := in.Properties["storageProfile"].(map[string]any)
	if bad := s.resolveImage(storage, location); bad != nil {
		return bad.answer()
	}
	if had := s.state.vms[fold(in.ID)]; had != nil {
		return s.updateVM(rq, had, in)
	}
	delete(s.state.gone, fold(in.ID))
	m := s.keepVM(rq.target, vm)
	m.keep(in.Properties)
	m.state = "Creating"
	m.busy = s.begin(rq, operation{region: location, resource: fold(in.ID), retryAfter: s.options.lookAgain(), apply: m.settled}, s.options.actionDuration())
	return s.accepted(rq, m.busy, http.StatusCreated, m.body(s, false))
}

// keep merges what was put with what the service describes. The disks stay as described.
func (m *machine) keep(properties map[string]any) {
	described := m.properties["storageProfile"].(map[string]any)
	maps.Copy(m.properties, properties)
	delete(m.properties, "hyperVGeneration")
	storage, _ := properties["storageProfile"].(map[string]any)
	storage = maps.Clone(storage)
	if storage == nil {
		storage = map[string]any{}
	}
	maps.Copy(storage, described)
	m.properties["storageProfile"] = storage
}

func (m *machine) settled(failed bool) {
	m.state = "Succeeded"
	if failed {
		m.state = "Failed"
	}
}

// updateVM takes tags anew; a VM's other properties stay as they are here.
func (s *Server) updateVM(rq *request, m *machine, in vmBody) answer {
	if bad := sameLocation(rq.target, m.Location, in.Location); bad != nil {
		return bad.answer()
	}
	if m.busy != nil && !m.busy.over {
		return conflict().answer()
	}
	m.Tags = in.Tags
	return answer{status: http.StatusOK, body: m.body(s, false)}
}

func (s *Server) patchVM(rq *request) answer {
	var in vmBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	m := s.state.vms[fold(rq.target.id("virtualMachines"))]
	if m == nil {
		return resourceNotFound(rq.target).answer()
	}
	if in.Tags != nil {
		m.Tags = in.Tags
	}
	return answer{status: http.StatusOK, body: m.body(s, false)}
}

func (s *Server) getVM(rq *request) answer {
	m, refusal := s.readVM(rq)
	if m == nil {
		return refusal
	}
	expand := rq.query.Get("$expand")
	if expand != "" && !strings.EqualFold(expand, "instanceView") && !strings.EqualFold(expand, "userData") {
		return invalidValue("$expand").answer()
	}
	return answer{status: http.StatusOK, body: m.body(s, strings.EqualFold(expand, "instanceView"))}
}

func (s *Server) readVM(rq *request) (*machine, answer) {
	id := rq.target.id("virtualMachines")
	m := s.state.vms[fold(id)]
	if m == nil {
		t := rq.target
		t.types = t.types[:1]
		if s.state.gone[fold(id)] { // compute answers, and counts
			if a, refused := s.limit(rq, "", id, lowCostGetLimit); refused {
				return nil, a
			}
		}
		return nil, s.notFound(t, id).answer()
	}
	if a, refused := s.limit(rq, m.Location, id, lowCostGetLimit); refused {
		return nil, a
	}
	return m, answer{}
}

func (s *Server) deleteVM(rq *request) answer {
	id := rq.target.id("virtualMachines")
	m := s.state.vms[fold(id)]
	if m == nil {
		return answer{status: http.StatusNoContent}
	}
	if a, refused := s.limit(rq, m.Location, id, deleteVMLimit); refused {
		return a
	}
	s.preempt(m.busy, rq.now)
	m.state = "Deleting"
	m.busy = s.begin(rq, operation{region: m.Location, resource: fold(id), retryAfter: s.options.lookAgain(), apply: func(failed bool) {
		if !failed && s.state.vms[fold(id)] == m {
			delete(s.state.vms, fold(id))
			s.state.gone[fold(id)] = true
		}
	}}, s.options.actionDuration())
	return s.accepted(rq, m.busy, http.StatusAccepted, nil)
}

func (s *Server) listVMs(rq *request) answer {
	return page(s, rq, s.state.vms, func(m *machine) (any, bool) { return m.body(s, false), true })
}

// body is the VM as a GET answers it. Only the instance view shows that it is generalized.
func (m *machine) body(s *Server, instanceView bool) vmBody {
	t, _ := parseID(m.ID, "virtualMachines")
	b := vmBody{Name: t.name(), ID: m.ID, Type: computeNamespace + "/virtualMachines", Location: m.Location, Tags: m.Tags}
	b.Properties = maps.Clone(m.properties)
	b.Properties["vmId"], b.Properties["provisioningState"], b.Properties["timeCreated"] = m.VMID, m.state, stamp(m.created)
	if instanceView {
		b.Properties["instanceView"] = m.instanceView(s.clock.now())
	}
	return b
}
