package arm_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"goldmint/emulator/arm"
)

// A server with one VM that is ready, and an image captured from it without waiting.
func ExampleListen() {
	azure, err := arm.Listen(arm.Options{ImageDuration: time.Hour})
	if err != nil {
		panic(err)
	}
	defer func() { _ = azure.Close() }()
	azure.AddVM("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden-rg/providers/Microsoft.Compute/virtualMachines/build-vm", "westeurope")

	put, err := http.NewRequest(http.MethodPut, azure.Endpoint()+"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden-rg"+
		"/providers/Microsoft.Compute/images/golden?api-version=2026-04-01", strings.NewReader(`{"location": "West Europe", "properties": {"sourceVirtualMachine":
		{"id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden-rg/providers/Microsoft.Compute/virtualMachines/build-vm"}}}`))
	if err != nil {
		panic(err)
	}
	put.Header.Set("Authorization", "Bearer any")
	resp, err := azure.Client().Do(put)
	if err != nil {
		panic(err)
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status)

	azure.FastForward(time.Hour + arm.RecordedTick)
	image, _ := azure.Image("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden-rg/providers/Microsoft.Compute/images/golden")
	fmt.Println(strings.Contains(string(image), `"provisioningState":"Succeeded"`))
	// Output:
	// 201 Created
	// true
}
