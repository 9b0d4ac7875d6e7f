package arm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	sdkarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

const (
	subscription = "11111111-2222-3333-4444-555555555555"
	group        = "golden-rg"
	scope        = "/subscriptions/" + subscription + "/resourceGroups/" + group
	compute      = scope + "/providers/Microsoft.Compute/"
	vmID         = compute + "virtualMachines/build-vm"
	imageID      = compute + "images/golden"
)

type staticToken struct{}

func (staticToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "a-token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// clients makes the real SDK's clients for a server. They do not retry: what the server says is
// what the test sees.
func clients(t *testing.T, s *arm.Server) *armcompute.ClientFactory {
	t.Helper()
	factory, err := armcompute.NewClientFactory(subscription, staticToken{}, &sdkarm.ClientOptions{
		DisableRPRegistration: true,
		ClientOptions: policy.ClientOptions{
			Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Audience: "https://management.azure.com", Endpoint: s.Endpoint()},
			}},
			InsecureAllowCredentialWithHTTP: true,
			Transport:                       s.Client(),
			Retry:                           policy.RetryOptions{MaxRetries: -1},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return factory
}

// code is the ErrorCode of an SDK error and its status.
func code(t *testing.T, err error) (string, int) {
	t.Helper()
	var refused *azcore.ResponseError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a ResponseError", err)
	}
	return refused.ErrorCode, refused.StatusCode
}

func finish[T any](t *testing.T, s *arm.Server, poller *runtime.Poller[T]) (T, error) {
	t.Helper()
	for !poller.Done() {
		s.FastForward(arm.RecordedTick)
		if _, err := poller.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return poller.Result(t.Context())
}

func imageOf(vm string) armcompute.Image {
	return armcompute.Image{
		Location:   new("West Europe"),
		Properties: &armcompute.ImageProperties{SourceVirtualMachine: &armcompute.SubResource{ID: &vm}},
	}
}

func TestImageFromVM(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.AddVM(vmID, "westeurope", func(vm *arm.VM) { vm.HyperVGeneration, vm.DataDisks = "V2", []arm.VMDisk{{Lun: 3, SizeGB: 64}} })
	images := clients(t, s).NewImagesClient()

	poller, err := images.BeginCreateOrUpdate(t.Context(), group, "golden", imageOf(vmID), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := images.Get(t.Context(), group, "golden", nil)
	if err != nil || *got.Properties.ProvisioningState != "Creating" {
		t.Fatalf("while it is created the image is %v, %v", got.Properties, err)
	}
	done, err := finish(t, s, poller)
	if err != nil {
		t.Fatal(err)
	}
	p := done.Properties
	if *done.ID != imageID || *p.ProvisioningState != "Succeeded" || *p.HyperVGeneration != "V2" {
		t.Errorf("image %s is %s, %s", *done.ID, *p.ProvisioningState, *p.HyperVGeneration)
	}
	if d := p.StorageProfile.DataDisks[0]; *d.Lun != 3 || *d.DiskSizeGB != 64 {
		t.Errorf("data disk %+v", d)
	}
	if s.Images() != 1 {
		t.Errorf("%d images", s.Images())
	}
}

func TestFromRunningVMToImage(t *testing.T) {
	var actions []arm.Action
	s := arm.Start(t, arm.Options{OnAction: func(a arm.Action) { actions = append(actions, a) }})
	s.PutVM(arm.VM{ID: vmID, Location: "westeurope"})
	vms := clients(t, s).NewVirtualMachinesClient()

	_, err := vms.Generalize(t.Context(), group, "build-vm", nil)
	if c, status := code(t, err); c != "OperationNotAllowed" || status != 409 {
		t.Errorf("generalizing a running VM: %s, %d", c, status)
	}
	poller, err := vms.BeginDeallocate(t.Context(), group, "build-vm", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(actions) != 1 {
		t.Errorf("%d actions are reported before the deallocation ends", len(actions))
	}
	if _, err := finish(t, s, poller); err != nil {
		t.Fatal(err)
	}
	if _, err := vms.Generalize(t.Context(), group, "build-vm", nil); err != nil {
		t.Fatal(err)
	}
	view, err := vms.InstanceView(t.Context(), group, "build-vm", nil)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, status := range view.Statuses {
		codes = append(codes, *status.Code)
	}
	want := []string{"ProvisioningState/succeeded", "OSState/generalized", "PowerState/deallocated"}
	if len(codes) != 3 || codes[0] != want[0] || codes[1] != want[1] || codes[2] != want[2] {
		t.Errorf("statuses %v, want %v", codes, want)
	}
	if len(actions) != 3 || actions[0].Status != "Failed" || actions[1].Operation != "Microsoft.Compute/virtualMachines/deallocate/action" ||
		actions[2].Operation != "Microsoft.Compute/virtualMachines/generalize/action" || actions[2].Status != "Succeeded" {
		t.Errorf("actions %+v", actions)
	}
}

func TestDeleteImage(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.AddVM(vmID, "westeurope")
	images := clients(t, s).NewImagesClient()
	poller, err := images.BeginCreateOrUpdate(t.Context(), group, "golden", imageOf(vmID), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := finish(t, s, poller); err != nil {
		t.Fatal(err)
	}
	deletion, err := images.BeginDelete(t.Context(), group, "golden", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := finish(t, s, deletion); err != nil {
		t.Fatal(err)
	}
	_, err = images.Get(t.Context(), group, "golden", nil)
	if c, status := code(t, err); c != "NotFound" || status != 404 {
		t.Errorf("right after its deletion the image answers %s, %d", c, status)
	}
	_, err = images.Get(t.Context(), group, "golden", nil)
	if c, status := code(t, err); c != "ResourceNotFound" || status != 404 {
		t.Errorf("from then on it answers %s, %d", c, status)
	}
}
