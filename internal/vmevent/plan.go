package vmevent

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/armid"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// Tags of an image that say which event it comes from. The tags for the VM are build.TagSource and
// build.TagUniqueID.
const (
	TagSourceTime        = "source-event-time"     // of the event that the request was made for, RFC 3339
	TagSourceCorrelation = "source-correlation-id" // of the operation on the VM
)

// plan is the request that the VM asks for, or why that is impossible.
type plan struct {
	request request.Request
	dropped []string // tags of the VM that could not be copied

	code, problem string // why there is no request
}

// plan makes the request for the VM. It depends only on the VM, the settings and the event.
func (p Policy) plan(w Work) plan {
	v, e := w.vm, w.Event
	made := plan{request: request.Request{
		ID: v.BuildID(), SubscriptionID: v.ID.SubscriptionID, ResourceGroup: p.group(v), IfExists: request.Fail, Timeout: request.DefaultTimeout,
		Image: armcompute.Image{
			Location:   &v.Location,
			Properties: &armcompute.ImageProperties{SourceVirtualMachine: &armcompute.SubResource{ID: to.Ptr(v.ID.String())}},
		},
	}}
	r := &made.request
	if commit := v.tag(TagCommit); commit != "" {
		r.Metadata = map[string]string{"commit": commit}
	}
	if v.HyperVGeneration != "" {
		r.Image.Properties.HyperVGeneration = to.Ptr(armcompute.HyperVGenerationTypes(v.HyperVGeneration))
	}
	if v.zoneResilient(p.ZoneResilient) {
		r.Image.Properties.StorageProfile = &armcompute.ImageStorageProfile{ZoneResilient: to.Ptr(true)}
	}
	if gallery := p.gallery(v); gallery != "" {
		return p.version(made, w, gallery)
	}
	var err error
	if r.Name, err = imageName(v.tag(TagName), v.ID.Name, v.VMID, e.Time); err != nil {
		r.Name, _ = imageName("", v.ID.Name, v.VMID, e.Time)
		made.code, made.problem = "InvalidImageName", err.Error()
		return made
	}
	return p.finished(made, w)
}

// gallery is the gallery/definition for the VM's new version, or "" for a managed image.
func (p Policy) gallery(v VM) string { return cmp.Or(v.tag(TagGallery), p.GalleryImage) }

// version changes the request to one for a version of the image definition.
func (p Policy) version(made plan, w Work, gallery string) plan {
	v, r := w.vm, &made.request
	r.Image, r.Timeout = armcompute.Image{}, request.DefaultVersionTimeout
	r.GalleryImageVersion = &armcompute.GalleryImageVersion{
		Location: &v.Location,
		Properties: &armcompute.GalleryImageVersionProperties{
			StorageProfile:    &armcompute.GalleryImageVersionStorageProfile{Source: &armcompute.GalleryArtifactVersionFullSource{VirtualMachineID: to.Ptr(v.ID.String())}},
			PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: []*armcompute.TargetRegion{{Name: &v.Location}}},
		},
	}
	var found bool
	var err error
	if r.GalleryName, r.GalleryImageName, found = strings.Cut(gallery, "/"); !found {
		made.code, made.problem = "InvalidGalleryImage", TagGallery+" has to be gallery/definition"
	}
	if r.Name, err = versionName(v.tag(TagName), w.Event.Time); err != nil {
		r.Name, _ = versionName("", w.Event.Time)
		made.code, made.problem = "InvalidImageName", err.Error()
	}
	if made.code != "" {
		return made
	}
	return p.finished(made, w)
}

// finished adds the tags to the request and checks it against the rules.
func (p Policy) finished(made plan, w Work) plan {
	v, r := w.vm, &made.request
	if !armid.ValidGroup(r.ResourceGroup) {
		r.ResourceGroup = v.ID.ResourceGroup
		made.code, made.problem = "InvalidResourceGroup", TagGroup+" is not a name that Azure allows for a resource group"
		return made
	}
	if !armid.Allowed(p.AllowedGroups, r.ResourceGroup) {
		made.code, made.problem = "ResourceGroupNotAllowed", "resource group "+r.ResourceGroup+" is not one that this Goldmint may write (ALLOWED_RESOURCE_GROUPS): tag the VM with another "+TagGroup
		return made
	}
	provenance := sources(w.Event)
	tags, dropped := p.copied(v, provenance)
	made.dropped = dropped
	if r.GalleryImageVersion != nil {
		r.GalleryImageVersion.Tags = tags
	} else {
		r.Image.Tags = tags
	}
	made.check(provenance)
	return made
}

func (p Policy) group(v VM) string {
	switch tag := v.tag(TagGroup); {
	case tag != "":
		return tag
	case p.ResourceGroup != "":
		return p.ResourceGroup
	}
	return v.ID.ResourceGroup
}

// sources are the provenance tags.
func sources(e Event) map[string]*string {
	tags := map[string]*string{TagSourceTime: to.Ptr(e.Time.UTC().Format(time.RFC3339))}
	if e.CorrelationID != "" {
		tags[TagSourceCorrelation] = &e.CorrelationID
	}
	return tags
}

// copied are the provenance tags and, as far as there is room, the VM's tags of the allow-list.
func (p Policy) copied(v VM, provenance map[string]*string) (tags map[string]*string, dropped []string) {
	tags = maps.Clone(provenance)
	for _, name := range slices.Sorted(maps.Keys(v.Tags)) {
		if !slices.ContainsFunc(p.CopyTags, func(s string) bool { return strings.EqualFold(s, name) }) {
			continue
		}
		if len(tags) >= request.MaxTags || hasTag(provenance, name) {
			dropped = append(dropped, name)
			continue
		}
		tags[name] = to.Ptr(v.Tags[name])
	}
	return tags, dropped
}

func hasTag(tags map[string]*string, name string) bool {
	for k := range tags {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// check checks the request against the contract, as the build will. A copied tag that breaks the
// contract is left out.
func (m *plan) check(provenance map[string]*string) {
	_, err := request.Decode(m.request.Canonical())
	if err == nil {
		return
	}
	var invalid *request.Invalid
	if errors.As(err, &invalid) {
		before := len(m.dropped)
		for name := range m.request.Tags() {
			if provenance[name] == nil && slices.ContainsFunc(invalid.Problems, func(p request.Problem) bool { return p.Pointer == "/"+string(m.request.Target())+tagPointer(name) }) {
				delete(m.request.Tags(), name)
				m.dropped = append(m.dropped, name)
			}
		}
		slices.Sort(m.dropped)
		if len(m.dropped) > before {
			m.check(provenance)
			return
		}
	}
	m.code, m.problem = "InvalidRequest", "the VM gives no valid build request: "+err.Error()
}

func tagPointer(name string) string {
	return "/tags/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// failed is the event that no image is made of the VM. Its id is the same for every event about
// this VM and this code.
func (w Work) failed(code, message string, retryable bool, now time.Time) event.Event {
	r := w.plan.request
	sum := sha256.Sum256([]byte(r.ID + "\n" + code))
	digest := hex.EncodeToString(sum[:])
	d := event.Data{
		BuildID: r.ID, Digest: digest, ImageID: r.ResourceID(""), Name: r.Name, GalleryName: r.GalleryName, GalleryImageName: r.GalleryImageName, ResourceGroup: r.ResourceGroup, SubscriptionID: r.SubscriptionID,
		Location: w.vm.Location, HyperVGeneration: w.vm.HyperVGeneration, Source: event.Source{Type: r.Source().Type, ID: r.Source().ID, UniqueID: strings.ToLower(w.VMID)},
		RequestedAt: w.EnqueuedAt, EndedAt: now, Error: &event.Error{Code: code, Message: message, Retryable: retryable},
	}
	return event.Event{
		ID: event.ID(request.Key(r.ID, digest), event.Failed, 0), Type: event.Failed, Subject: d.ImageID, Time: now, Data: d,
	}
}

// Failed is the event that the work on the VM's event failed for a reason outside of the VM.
func (w Work) Failed(code, message string, now time.Time) event.Event {
	if w.plan.request.ID == "" { // the VM was not read in this message
		r := request.Request{ID: w.Key(), SubscriptionID: w.Event.VM.SubscriptionID, ResourceGroup: w.Event.VM.ResourceGroup, Name: w.Event.VM.Name}
		if w.VMID != "" {
			r.ID = "vm-" + strings.ToLower(w.VMID)
		}
		r.Image.Properties = &armcompute.ImageProperties{SourceVirtualMachine: &armcompute.SubResource{ID: to.Ptr(w.Event.VM.String())}}
		w.plan.request = r
	}
	return w.failed(code, message, true, now)
}
