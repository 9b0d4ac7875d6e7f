package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// imageRecord is an image and what is happening to it.
type imageRecord struct {
	image    image
	creating *operation
	deleting bool
}

func addImages(add adder) {
	const action = "Microsoft.Compute/images/"
	add(http.MethodPut, "images/*", action+"write", (*Server).putImage)
	add(http.MethodGet, "images/*", action+"read", (*Server).getImage)
	add(http.MethodPatch, "images/*", action+"write", (*Server).patchImage)
	add(http.MethodDelete, "images/*", action+"delete", (*Server).deleteImage)
	add(http.MethodGet, "images", action+"read", (*Server).listImages)
	add(http.MethodGet, "@images", action+"read", (*Server).listImages)
}

func (s *Server) putImage(rq *request) answer {
	var in image
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	id := rq.target.id("images")
	location, bad := s.location(in.Location, "images")
	if bad != nil {
		return bad.answer()
	}
	had := s.state.images[fold(id)]
	if had != nil {
		if bad := sameLocation(rq.target, had.image.Location, location); bad != nil {
			return bad.answer()
		}
	}
	in.rootLinks()
	if bad := in.checkLinks(); bad != nil {
		return bad.answer()
	}
	if a, refused := s.limit(rq, location, id, createImagesLimit); refused {
		return a
	}
	in.Location, in.Name, in.ID, in.Type = location, rq.target.name(), id, computeNamespace+"/images"
	return s.createOrKeep(rq, had, in)
}

func (s *Server) createOrKeep(rq *request, had *imageRecord, in image) answer {
	if !validName(in.Name) {
		return invalidName("imageName").answer()
	}
	if had != nil {
		return had.again(in).answerFor(had, rq, in)
	}
	made, failure, bad := s.assemble(in, rq.apiVersion)
	if bad != nil {
		return bad.answer()
	}
	return s.createImage(rq, made, failure)
}

// again decides on a PUT over an image that exists. With equal properties it succeeds without a
// second capture.
func (r *imageRecord) again(in image) *armError {
	switch {
	case r.deleting:
		return notAllowed("Operation 'PUT' is not allowed on Image '%s' since the Image is marked for deletion. "+
			"You can only retry the Delete operation (or wait for an ongoing one to complete).", r.image.Name)
	case r.image.Properties.ProvisioningState == "Creating" || r.image.Properties.ProvisioningState == "Updating":
		return conflict() // not recorded: taken for the conflict that every compute resource has
	}
	if property := in.changes(r.image); property != "" {
		return changeNotAllowed(property)
	}
	if r.image.Properties.ProvisioningState == "Failed" {
		// Not recorded. A failed image is known to have to be deleted before its name works again.
		return notAllowed("Operation 'PUT' is not allowed on Image '%s' since the Image is in a failed state. "+
			"Delete the Image and create it again.", r.image.Name)
	}
	return nil
}

// answerFor answers a PUT over an image: the refusal, or the image with its tags renewed.
func (e *armError) answerFor(r *imageRecord, rq *request, in image) answer {
	if e != nil {
		return e.answer()
	}
	r.image.Tags = in.Tags
	return answer{status: http.StatusOK, body: r.image.view(rq.apiVersion)}
}

// createImage adds the image as Creating; the operation finishes it. The operation does not end
// before the PUT has answered.
func (s *Server) createImage(rq *request, made assembled, failure *opError) answer {
	img := made.image
	img.Properties.ProvisioningState = "Creating"
	img.SystemData = newSystemData(rq.now)
	s.ensureGroup(rq.target, img.Location)
	record := &imageRecord{image: img}
	s.state.images[fold(img.ID)] = record
	delete(s.state.gone, fold(img.ID))
	answers, takes := s.options.imageTimes(made.fromBlobs)
	if failure != nil {
		takes = max(answers, min(takes, s.options.scaled(blobMissing)))
	}
	record.creating = s.begin(rq, operation{
		region: img.Location, resource: fold(img.ID), failure: failure,
		apply: func(failed bool) {
			if record.deleting {
				return
			}
			record.image.Properties.ProvisioningState = "Succeeded"
			if failed {
				record.image.Properties.ProvisioningState = "Failed"
				return
			}
			record.image.Properties.StorageProfile = made.final
		},
	}, takes)
	a := s.accepted(rq, record.creating, http.StatusCreated, img.view(rq.apiVersion))
	a.after = rq.now.Add(answers)
	return a
}

func (s *Server) getImage(rq *request) answer {
	record := s.state.images[fold(rq.target.id("images"))]
	region := ""
	if record != nil {
		region = record.image.Location
	}
	if a, refused := s.limit(rq, region, rq.target.id("images"), getImagesLimit); refused {
		return a
	}
	if record == nil {
		return s.notFound(rq.target, rq.target.id("images")).answer()
	}
	return answer{status: http.StatusOK, body: record.image.view(rq.apiVersion)}
}

// patchImage renews tags, all at once as ARM does, in an operation that counts like a creation.
// Other properties of an image cannot change.
func (s *Server) patchImage(rq *request) answer {
	var in struct {
		Tags       tags            `json:"tags,omitzero"`
		Properties imageProperties `json:"properties,omitzero"`
	}
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	id := rq.target.id("images")
	record := s.state.images[fold(id)]
	if record == nil {
		return s.notFound(rq.target, id).answer()
	}
	patched := record.image
	if in.Properties.StorageProfile == nil {
		in.Properties.StorageProfile = patched.Properties.StorageProfile
	}
	if in.Properties.SourceVirtualMachine == nil {
		in.Properties.SourceVirtualMachine = patched.Properties.SourceVirtualMachine
	}
	patched.Properties = in.Properties
	patched.rootLinks()
	if bad := record.again(patched); bad != nil {
		return bad.answer()
	}
	if a, refused := s.limit(rq, record.image.Location, id, createImagesLimit); refused {
		return a
	}
	if in.Tags != nil {
		record.image.Tags = in.Tags
	}
	record.image.Properties.ProvisioningState = "Updating"
	record.creating = s.begin(rq, operation{region: record.image.Location, resource: fold(id), apply: func(bool) {
		if !record.deleting {
			record.image.Properties.ProvisioningState = "Succeeded"
		}
	}}, s.options.tick())
	return s.accepted(rq, record.creating, http.StatusOK, record.image.view(rq.apiVersion))
}

// deleteImage deletes an image in any state. Deleting one that is being created ends its creation,
// as a later request does with a VM's operation; for images that is not recorded.
func (s *Server) deleteImage(rq *request) answer {
	id := rq.target.id("images")
	record := s.state.images[fold(id)]
	if record == nil {
		return answer{status: http.StatusNoContent}
	}
	if a, refused := s.limit(rq, record.image.Location, id, deleteImagesLimit); refused {
		return a
	}
	s.preempt(record.creating, rq.now)
	was := record.image.Properties.ProvisioningState
	record.deleting, record.image.Properties.ProvisioningState = true, "Deleting"
	op := s.begin(rq, operation{region: record.image.Location, resource: fold(id), failure: s.provisionedFrom(id), apply: func(failed bool) {
		if failed {
			record.deleting, record.image.Properties.ProvisioningState = false, was
			return
		}
		if s.state.images[fold(id)] == record {
			delete(s.state.images, fold(id))
			s.state.gone[fold(id)] = true
		}
	}}, s.options.tick())
	return s.accepted(rq, op, http.StatusAccepted, nil)
}

// provisionedFrom is why the deletion of an image fails: VMs are being created from it. Whether
// others or scale sets use it does not matter to Azure. Source: Azure/azure-cli#6254 and
// nanovms/ops#766.
func (s *Server) provisionedFrom(id string) *opError {
	var names []string
	for _, m := range s.state.vms {
		if strings.EqualFold(m.ImageID, id) && m.state == "Creating" {
			t, _ := parseID(m.ID, "virtualMachines")
			names = append(names, t.name())
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return &opError{Code: "OperationNotAllowed", Message: fmt.Sprintf("Operation 'Image Delete' is not allowed since the Virtual Machines '%s' are being "+
		"provisioned using the Image '%s'.", strings.Join(names, ","), id[strings.LastIndexByte(id, '/')+1:])}
}

// listImages lists a group's or the subscription's. As recorded, a list writes the group in
// capitals.
func (s *Server) listImages(rq *request) answer {
	if a, refused := s.limit(rq, "", "", listImagesLimit); refused {
		return a
	}
	return page(s, rq, s.state.images, func(r *imageRecord) (any, bool) {
		img := r.image
		t, _ := parseID(img.ID, "images")
		t.group = strings.ToUpper(t.group)
		img.ID = t.id("images")
		return img.view(rq.apiVersion), true
	})
}

// AddImage adds a managed image, of a Linux disk of 30 GB and of these data disks. It panics on an
// id of another type.
func (s *Server) AddImage(id, location, generation string, disks ...VMDisk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := mustTarget(id, "images/*")
	img := image{Name: t.name(), ID: t.id("images"), Type: computeNamespace + "/images", Location: regionName(location)}
	img.Properties = imageProperties{ProvisioningState: "Succeeded", HyperVGeneration: generation, StorageProfile: &imageStorage{
		OSDisk: &imageOSDisk{OSType: "Linux", OSState: "Generalized", imageDisk: imageDisk{DiskSizeGB: 30, Caching: "ReadWrite", StorageAccountType: "Standard_LRS"}},
	}}
	for _, d := range disks {
		img.Properties.StorageProfile.DataDisks = append(img.Properties.StorageProfile.DataDisks, imageDataDisk{
			Lun: new(d.Lun), imageDisk: imageDisk{DiskSizeGB: d.SizeGB, Caching: "None", StorageAccountType: "Standard_LRS"},
		})
	}
	img.SystemData = newSystemData(s.clock.now())
	s.ensureGroup(t, img.Location)
	s.state.images[fold(img.ID)] = &imageRecord{image: img}
}

// TagImage replaces the tags of an image. It panics where there is no such image.
func (s *Server) TagImage(id string, tags map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.images[fold(id)].image.Tags = tags
}

// Image is an image's JSON as a GET with the newest api-version answers it, with its id in any
// case.
func (s *Server) Image(id string) (json.RawMessage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endDue()
	record := s.state.images[fold(id)]
	if record == nil {
		return nil, false
	}
	body, err := json.Marshal(record.image)
	return body, err == nil
}

// Images is the number of images in any state.
func (s *Server) Images() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endDue()
	return len(s.state.images)
}
