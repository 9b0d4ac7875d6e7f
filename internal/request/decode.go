package request

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"goldmint/internal/iso8601"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// Decode reads a build request. What is left out gets its default, ids get
// their leading slash and an image from a blob its generation; every other
// value stays as given. The error is always an [*Invalid].
func Decode(body []byte) (Request, error) {
	return decode(body, MaxBytes, true)
}

func decode(body []byte, maxBytes int, fresh bool) (Request, error) {
	r, invalid := read(body, maxBytes, fresh)
	if invalid != nil {
		sum := sha256.Sum256(body)
		invalid.Digest = hex.EncodeToString(sum[:])
		return Request{}, invalid
	}
	return r, nil
}

func read(body []byte, maxBytes int, fresh bool) (Request, *Invalid) {
	if len(body) > maxBytes {
		return Request{}, refuse(RequestTooLarge, "the body has %d bytes; at most %d are allowed", len(body), maxBytes)
	}
	body, invalid := unwrap(body)
	if invalid != nil {
		return Request{}, invalid
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return Request{}, refuse(EmptyBody, "the body is empty; send a build request as JSON")
	}
	doc, invalid := parse(body)
	if invalid != nil {
		return Request{}, invalid
	}
	if problems := doc.check(fresh); len(problems) > 0 {
		return Request{}, &Invalid{Reason: InvalidRequest, Problems: problems, ID: doc.id()}
	}
	r, err := doc.request()
	if err != nil {
		return Request{}, refuse(InvalidRequest, "%v", err)
	}
	if size := len(r.Canonical()); size > maxBytes {
		return Request{}, refuse(RequestTooLarge, "the body has %d bytes once its defaults are filled in; at most %d are allowed", size, maxBytes)
	}
	return r, nil
}

// check holds the document against the contract and the rules.
func (d *document) check(fresh bool) []Problem {
	f := &findings{doc: d, seen: make(map[string]bool)}
	root := node{value: d.root, present: true}
	for _, rule := range before {
		rule(f, root)
	}
	verdict := loadContract().check(f)
	for _, rule := range after {
		rule(f, root)
	}
	if fresh {
		ruleEndOfLife(f, root)
	}
	if verdict != nil && len(f.list) == 0 {
		f.add("", "breaks the contract: %v", verdict) // a rule is missing; better blunt than silent
	}
	return f.problems()
}

// id is the build id in a document that is otherwise wrong.
func (d *document) id() string {
	id, _ := node{value: d.root}.at("id").text()
	if !idForm.MatchString(id) {
		return ""
	}
	return id
}

// request is the Go form of a document without problems.
func (d *document) request() (Request, error) {
	var w wire
	if err := json.Unmarshal(encode(d.root), &w); err != nil {
		return Request{}, err
	}
	r := Request{
		ID:             w.ID,
		SubscriptionID: w.SubscriptionID,
		ResourceGroup:  w.ResourceGroup,
		Name:           w.Name,
		IfExists:       w.IfExists,
		Timeout:        DefaultTimeout,
		Metadata:       w.Metadata,

		GalleryName:      w.GalleryName,
		GalleryImageName: w.GalleryImageName,
	}
	if w.GalleryImageVersion != nil {
		r.Timeout = DefaultVersionTimeout
	}
	if w.Timeout != "" {
		timeout, err := iso8601.Parse(w.Timeout)
		if err != nil {
			return Request{}, err
		}
		r.Timeout = timeout
	}
	if r.IfExists == "" {
		r.IfExists = Fail
	}
	if len(r.Metadata) == 0 {
		r.Metadata = nil
	}
	if w.GalleryImageVersion != nil {
		r.GalleryImageVersion = new(armcompute.GalleryImageVersion)
		if err := r.GalleryImageVersion.UnmarshalJSON(w.GalleryImageVersion); err != nil {
			return Request{}, err
		}
		completeVersion(r.GalleryImageVersion.Properties)
		return r, nil
	}
	if err := r.Image.UnmarshalJSON(w.Image); err != nil {
		return Request{}, err
	}
	complete(&r.Image)
	return r, nil
}

// complete makes the few changes that Azure demands: ids start with a slash,
// and an image whose operating system disk is a blob names its generation.
func complete(image *armcompute.Image) {
	p := image.Properties
	if p.SourceVirtualMachine != nil {
		*p.SourceVirtualMachine.ID = withSlash(*p.SourceVirtualMachine.ID)
	}
	if p.StorageProfile == nil {
		return
	}
	if d := p.StorageProfile.OSDisk; d != nil {
		completeIDs(d.ManagedDisk, d.Snapshot, d.DiskEncryptionSet)
		if d.BlobURI != nil && p.HyperVGeneration == nil {
			p.HyperVGeneration = to.Ptr(armcompute.HyperVGenerationTypesV1)
		}
	}
	for _, d := range p.StorageProfile.DataDisks {
		completeIDs(d.ManagedDisk, d.Snapshot, d.DiskEncryptionSet)
	}
}

func completeIDs(disk, snapshot *armcompute.SubResource, set *armcompute.DiskEncryptionSetParameters) {
	for _, resource := range []*armcompute.SubResource{disk, snapshot} {
		if resource != nil {
			*resource.ID = withSlash(*resource.ID)
		}
	}
	if set != nil {
		*set.ID = withSlash(*set.ID)
	}
}

// completeVersion gives ids their leading slash.
func completeVersion(p *armcompute.GalleryImageVersionProperties) {
	var ids []*string
	if s := p.StorageProfile.Source; s != nil {
		ids = append(ids, s.ID, s.VirtualMachineID, s.CommunityGalleryImageID)
	}
	if d := p.StorageProfile.OSDiskImage; d != nil {
		ids = append(ids, d.Source.ID, d.Source.StorageAccountID)
	}
	for _, d := range p.StorageProfile.DataDiskImages {
		ids = append(ids, d.Source.ID, d.Source.StorageAccountID)
	}
	encrypted := func(e *armcompute.EncryptionImages) {
		if e == nil {
			return
		}
		if d := e.OSDiskImage; d != nil {
			ids = append(ids, d.DiskEncryptionSetID)
			if d.SecurityProfile != nil {
				ids = append(ids, d.SecurityProfile.SecureVMDiskEncryptionSetID)
			}
		}
		for _, d := range e.DataDiskImages {
			ids = append(ids, d.DiskEncryptionSetID)
			if d.SecurityProfile != nil {
				ids = append(ids, d.SecurityProfile.SecureVMDiskEncryptionSetID)
			}
		}
	}
	for _, r := range p.PublishingProfile.TargetRegions {
		encrypted(r.Encryption)
	}
	for _, l := range p.PublishingProfile.TargetExtendedLocations {
		encrypted(l.Encryption)
	}
	for _, id := range ids {
		if id != nil {
			*id = withSlash(*id)
		}
	}
}

func sortedNames(n node) []string {
	return slices.Sorted(maps.Keys(n.members()))
}
