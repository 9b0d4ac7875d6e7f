package arm

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Disk is a managed disk, a snapshot or a disk encryption set: what images are made from and
// encrypted with.
type Disk struct {
	ID               string
	Location         string
	OSType           string // Linux or Windows; empty for a data disk
	HyperVGeneration string // V1 or V2; empty where the disk does not say
	AccountType      string // such as Premium_LRS; empty: Standard_LRS
	SizeGB           int32  // zero: 30
	SecurityType     string // such as TrustedLaunch, or empty
	Tags             map[string]string
}

// diskRecord is a disk and the resource as it was put, which a GET answers with what the service
// fills in.
type diskRecord struct {
	disk Disk
	body diskBody
}

// diskBody is the part of the three resources that is parsed; the rest of the properties is kept as
// it came.
type diskBody struct {
	Name       string         `json:"name"`
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Location   string         `json:"location"`
	Tags       tags           `json:"tags,omitzero"`
	SKU        map[string]any `json:"sku,omitempty"`
	Zones      []string       `json:"zones,omitempty"`
	Identity   map[string]any `json:"identity,omitempty"`
	Properties map[string]any `json:"properties"`
}

func addDisks(add adder) {
	for typ, folded := range map[string]string{"disks": "disks", "snapshots": "snapshots", "diskEncryptionSets": "diskencryptionsets"} {
		action := computeNamespace + "/" + typ + "/"
		add(http.MethodPut, folded+"/*", action+"write", func(s *Server, rq *request) answer { return s.putDisk(rq, typ) })
		add(http.MethodGet, folded+"/*", action+"read", func(s *Server, rq *request) answer { return s.getDisk(rq, typ) })
		add(http.MethodPatch, folded+"/*", action+"write", func(s *Server, rq *request) answer { return s.patchDisk(rq, typ) })
		add(http.MethodDelete, folded+"/*", action+"delete", func(s *Server, rq *request) answer { return s.deleteDisk(rq, typ) })
		add(http.MethodGet, folded, action+"read", func(s *Server, rq *request) answer { return s.listDisks(rq, typ) })
		add(http.MethodGet, "@"+folded, action+"read", func(s *Server, rq *request) answer { return s.listDisks(rq, typ) })
	}
}

// PutDisk adds or replaces a managed disk. It panics on an id of another type.
func (s *Server) PutDisk(d Disk) { s.putPrepared(d, "disks") }

// PutSnapshot adds or replaces a snapshot. It panics on an id of another type.
func (s *Server) PutSnapshot(d Disk) { s.putPrepared(d, "snapshots") }

// PutDiskEncryptionSet adds or replaces a disk encryption set. It panics on an id of another type.
func (s *Server) PutDiskEncryptionSet(d Disk) { s.putPrepared(d, "diskEncryptionSets") }

func (s *Server) putPrepared(d Disk, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := parseID(d.ID, typ)
	if !ok {
		panic("arm: not the id of one of " + typ + ": " + d.ID)
	}
	s.keepDisk(t, typ, d)
}

// keepDisk adds a disk for a Go caller.
func (s *Server) keepDisk(t target, typ string, d Disk) {
	body := diskBody{Name: t.name(), ID: t.id(typ), Type: computeNamespace + "/" + typ, Location: regionName(d.Location), Tags: d.Tags}
	body.Properties = map[string]any{"provisioningState": "Succeeded"}
	if typ != "diskEncryptionSets" {
		if d.AccountType == "" {
			d.AccountType = "Standard_LRS"
		}
		if d.SizeGB == 0 {
			d.SizeGB = 30
		}
		body.SKU = map[string]any{"name": d.AccountType}
		body.Properties["diskSizeGB"], body.Properties["creationData"] = d.SizeGB, map[string]any{"createOption": "Empty"}
		if d.SecurityType != "" {
			body.Properties["securityProfile"] = map[string]any{"securityType": d.SecurityType}
		}
		body.setIf("osType", d.OSType)
		body.setIf("hyperVGeneration", d.HyperVGeneration)
	}
	s.ensureGroup(t, body.Location)
	s.state.disks[fold(body.ID)] = s.newDiskRecord(body, nil)
}

func (b *diskBody) setIf(property, value string) {
	if value != "" {
		b.Properties[property] = value
	}
}

// newDiskRecord fills in what the service fills in, and reads what images depend on. A disk that is
// put again keeps its identity.
func (s *Server) newDiskRecord(b diskBody, had *diskRecord) *diskRecord {
	p := b.Properties
	if b.Type != computeNamespace+"/diskEncryptionSets" {
		s.inherit(p)
		name, _ := b.SKU["name"].(string)
		b.SKU = map[string]any{"name": name, "tier": tier(name)}
		if b.Type == computeNamespace+"/snapshots" && p["incremental"] == nil {
			p["incremental"] = false
		}
		if p["encryption"] == nil {
			p["encryption"] = map[string]any{"type": "EncryptionAtRestWithPlatformKey"}
		}
		p["diskState"], p["uniqueId"], p["timeCreated"] = "Unattached", newGUID(), stamp(s.clock.now())
		if had != nil {
			p["uniqueId"], p["timeCreated"] = had.body.Properties["uniqueId"], had.body.Properties["timeCreated"]
		}
	}
	d := Disk{ID: b.ID, Location: b.Location, Tags: b.Tags}
	d.OSType, _ = p["osType"].(string)
	d.HyperVGeneration, _ = p["hyperVGeneration"].(string)
	d.AccountType, _ = b.SKU["name"].(string)
	profile, _ := p["securityProfile"].(map[string]any)
	d.SecurityType, _ = profile["securityType"].(string)
	d.SizeGB = sizeGB(p)
	if p["uniqueId"] != nil {
		p["diskSizeBytes"] = int64(d.SizeGB) << 30
	}
	return &diskRecord{disk: d, body: b}
}

// tier is the first word of an account type's name: Standard of Standard_LRS, Premium of
// PremiumV2_LRS.
func tier(accountType string) string {
	for _, known := range []string{"Standard", "Premium", "Ultra"} {
		if strings.HasPrefix(accountType, known) {
			return known
		}
	}
	return "Standard"
}

func sizeGB(properties map[string]any) int32 {
	switch size := properties["diskSizeGB"].(type) {
	case float64:
		return int32(max(0, min(size, 65536)))
	case int32:
		return size
	}
	return 0
}

// source is the disk or snapshot that a disk is a copy of.
func (s *Server) source(properties map[string]any) *diskRecord {
	creation, _ := properties["creationData"].(map[string]any)
	id, _ := creation["sourceResourceId"].(string)
	return s.state.disks[fold(id)]
}

// inherit sets on a copy what its source has: its size unless another is asked for, its OS and
// generation.
func (s *Server) inherit(properties map[string]any) {
	from := s.source(properties)
	if from == nil {
		return
	}
	creation := maps.Clone(properties["creationData"].(map[string]any))
	creation["sourceUniqueId"] = from.body.Properties["uniqueId"]
	properties["creationData"] = creation
	for _, name := range []string{"diskSizeGB", "osType", "hyperVGeneration", "securityProfile"} {
		if properties[name] == nil && from.body.Properties[name] != nil {
			properties[name] = from.body.Properties[name]
		}
	}
}

// diskTakes is how long making a disk takes: a copy that is made larger is copied in full.
func (s *Server) diskTakes(properties map[string]any) time.Duration {
	if from := s.source(properties); from != nil && sizeGB(properties) > from.disk.SizeGB {
		return s.options.scaled(resizedCopy)
	}
	return s.options.scaled(diskDuration)
}

func (s *Server) putDisk(rq *request, typ string) answer {
	var in diskBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	location, bad := s.location(in.Location, typ)
	if bad != nil {
		return bad.answer()
	}
	if !validName(rq.target.name()) {
		return invalidName(typ[:len(typ)-1] + "Name").answer()
	}
	id := rq.target.id(typ)
	if had := s.state.disks[fold(id)]; had != nil {
		if bad := sameLocation(rq.target, had.body.Location, location); bad != nil {
			return bad.answer()
		}
	}
	in.Name, in.ID, in.Type, in.Location = rq.target.name(), id, computeNamespace+"/"+typ, location
	in.Properties = maps.Clone(in.Properties)
	if in.Properties == nil {
		in.Properties = map[string]any{}
	}
	if typ != "diskEncryptionSets" && in.SKU == nil {
		in.SKU = map[string]any{"name": "Standard_LRS"}
	}
	s.ensureGroup(rq.target, location)
	return s.keepPutDisk(rq, in)
}

// keepPutDisk starts the operation that makes or changes a disk.
func (s *Server) keepPutDisk(rq *request, in diskBody) answer {
	in.Properties["provisioningState"] = "Updating"
	record := s.newDiskRecord(in, s.state.disks[fold(in.ID)])
	s.state.disks[fold(in.ID)] = record
	delete(s.state.gone, fold(in.ID))
	op := s.begin(rq, operation{region: in.Location, segment: "DiskOperations", resource: fold(in.ID), retryAfter: rq.diskRetryAfter(), apply: func(failed bool) {
		record.body.Properties["provisioningState"] = "Succeeded"
		if failed {
			record.body.Properties["provisioningState"] = "Failed"
		}
	}, output: func() any { return record.body }}, s.diskTakes(in.Properties))
	return s.accepted(rq, op, http.StatusAccepted, record.body)
}

// diskRetryAfter is the Retry-After that disk operations have had since 2022.
func (rq *request) diskRetryAfter() string {
	if rq.apiVersion < "2022" {
		return ""
	}
	return "2"
}

// patchDisk changes what the body names and leaves the rest.
func (s *Server) patchDisk(rq *request, typ string) answer {
	var in diskBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	id := rq.target.id(typ)
	record := s.state.disks[fold(id)]
	if record == nil {
		return s.notFound(rq.target, id).answer()
	}
	patched := record.body
	patched.Properties = maps.Clone(patched.Properties)
	maps.Copy(patched.Properties, in.Properties)
	if in.Tags != nil {
		patched.Tags = in.Tags
	}
	if in.SKU != nil {
		patched.SKU = in.SKU
	}
	if sizeGB(patched.Properties) < record.disk.SizeGB {
		return invalidParameter("diskSizeGB", "Disks or snapshot cannot be resized down.").answer()
	}
	return s.keepPutDisk(rq, patched)
}

func (s *Server) getDisk(rq *request, typ string) answer {
	id := rq.target.id(typ)
	record := s.state.disks[fold(id)]
	if record == nil {
		return s.notFound(rq.target, id).answer()
	}
	if a, refused := s.limit(rq, record.body.Location, id, lowCostGetLimit); refused {
		return a
	}
	return answer{status: http.StatusOK, body: record.body}
}

func (s *Server) deleteDisk(rq *request, typ string) answer {
	id := rq.target.id(typ)
	record := s.state.disks[fold(id)]
	if record == nil {
		return answer{status: http.StatusNoContent}
	}
	op := s.begin(rq, operation{region: record.body.Location, segment: "DiskOperations", resource: fold(id), retryAfter: rq.diskRetryAfter(), apply: func(failed bool) {
		if !failed && s.state.disks[fold(id)] == record {
			delete(s.state.disks, fold(id))
		}
	}}, s.options.scaled(diskDuration))
	return s.accepted(rq, op, http.StatusAccepted, nil)
}

func (s *Server) listDisks(rq *request, typ string) answer {
	value := []diskBody{}
	for _, id := range slices.Sorted(maps.Keys(s.state.disks)) {
		if t, ok := parseID(id, typ); ok && rq.target.covers(t) {
			value = append(value, s.state.disks[id].body)
		}
	}
	return answer{status: http.StatusOK, body: map[string]any{"value": value}}
}
