package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mutatedVariable names a copy of infra/ to test in the place of the real one.
const mutatedVariable = "GOLDMINT_MUTATED_INFRA"

// mutations are one-line changes that each make the deployment less safe and that Terraform accepts
// without a warning.
var mutations = []struct{ file, from, to, means string }{
	{"messaging.tf", `local_auth_enabled            = false`, `local_auth_enabled            = true`, "keys open Service Bus"},
	{"messaging.tf", `minimum_tls_version           = "1.2"`, `minimum_tls_version           = "1.0"`, "old TLS to Service Bus"},
	{"messaging.tf", `public_network_access_enabled = !local.private`, `public_network_access_enabled = true`, "private, yet Service Bus is on the internet"},
	{"messaging.tf", `requires_duplicate_detection         = false`, `requires_duplicate_detection         = true`, "a sender can use up another's MessageId"},
	{"messaging.tf", `requires_duplicate_detection            = true`, `requires_duplicate_detection            = false`, "a redelivery starts a second build"},
	{"function.tf", `shared_access_key_enabled       = false`, `shared_access_key_enabled       = true`, "keys open the storage account"},
	{"function.tf", `default_to_oauth_authentication = true`, `default_to_oauth_authentication = false`, "the portal asks for keys first"},
	{"function.tf", `allow_nested_items_to_be_public = false`, `allow_nested_items_to_be_public = true`, "blobs may be public"},
	{"function.tf", `container_access_type = "private"`, `container_access_type = "blob"`, "the package is public"},
	{"function.tf", `bypass         = ["AzureServices"]`, `bypass         = ["AzureServices", "Logging", "Metrics"]`, "more gets around the firewall"},
	{"function.tf", `local_user_enabled              = false`, `local_user_enabled              = true`, "local users of the storage account"},
	{"function.tf", `https_only                                     = true`, `https_only                                     = false`, "plain http to the app"},
	{"function.tf", `webdeploy_publish_basic_authentication_enabled = false`, `webdeploy_publish_basic_authentication_enabled = true`, "publishing with a password"},
	{"function.tf", `    http2_enabled                          = true`, `    remote_debugging_enabled               = true`, "a debugger may attach"},
	{"function.tf", `    http2_enabled                          = true`, "    http2_enabled                          = true\n    cors { allowed_origins = [\"*\"] }", "any web page may call the app"},
	{"function.tf", `    minimum_tls_version                    = "1.2"`, `    minimum_tls_version                    = "1.0"`, "old TLS to the app"},
	{"versions.tf", `storage_use_azuread = true`, `storage_use_azuread = false`, "Terraform reads storage keys"},
	{"monitoring.tf", "  sampling_percentage          = 100 # alerts count lines\n  local_authentication_enabled = false", "  sampling_percentage          = 100\n  local_authentication_enabled = true", "anybody with the instrumentation key writes logs"},
	{"identity.tf", `"Microsoft.Compute/images/write" `, `"Microsoft.Compute/*" `, "the role can do anything with machines"},
	{"identity.tf", "  scope              = azurerm_servicebus_queue.builds.id\n  role_definition_id = local.roles.service_bus_data_owner", "  scope              = azurerm_servicebus_namespace.main.id\n  role_definition_id = local.roles.service_bus_data_owner", "the function owns the whole namespace"},
	{"identity.tf", "  for_each = var.submitter_principal_ids\n\n  scope              = azurerm_servicebus_queue.requests.id", "  for_each = var.submitter_principal_ids\n\n  scope              = azurerm_servicebus_queue.builds.id", "a submitter can forge builds"},
	{"identity.tf", "  scope              = azurerm_servicebus_subscription.history.id\n  role_definition_id = local.roles.service_bus_data_receiver", "  scope              = azurerm_servicebus_topic.events.id\n  role_definition_id = local.roles.service_bus_data_receiver", "a waiter takes everybody's events"},
	{"gallery.tf", "  for_each = var.gallery_source_ids", "  for_each = var.image_resource_group_ids", "write on every VM of the image groups, asked for or not"},
	{"gallery.tf", `"Microsoft.Compute/virtualMachines/write" `, `"Microsoft.Compute/virtualMachines/*" `, "the function can run commands in VMs"},
	{"variables.tf", "  description = \"Azure Compute Galleries that the function may publish image versions into, by id. None by default. The image definitions are yours: Goldmint makes versions alone.\"\n  type        = set(string)\n  default     = []", "  type    = set(string)\n  default = [\"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g/providers/Microsoft.Compute/galleries/g\"]", "a gallery may be written that nobody named"},
	{"events.tf", `service_bus_queue_id  = azurerm_servicebus_queue.requests.id`, `service_bus_queue_id  = azurerm_servicebus_queue.builds.id`, "Event Grid delivers past the checks of the intake"},
	{"network.tf", `access = "Deny", source = "*"`, `access = "Allow", source = "*"`, "the subnets let everything in"},
}

// TestMutations applies each to a copy of infra/ and runs this package's own tests of the files on
// it: one at least must fail.
func TestMutations(t *testing.T) {
	if os.Getenv(mutatedVariable) != "" {
		return // this is such a run
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unchanged := copyInfra(t)
	if failed, out := judge(t, binary, unchanged); len(failed) > 0 {
		t.Fatalf("the copy fails unchanged: %s", out)
	}
	for _, m := range mutations {
		t.Run(m.means, func(t *testing.T) {
			t.Parallel()
			infra := copyInfra(t)
			path := filepath.Join(infra, m.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), m.from) {
				t.Fatalf("%s has no %q any more: mend this table", m.file, m.from)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), m.from, m.to, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			failed, out := judge(t, binary, infra)
			if len(failed) == 0 {
				t.Errorf("%s: no test notices %q\n%s", m.file, m.to, out)
			}
			t.Logf("%-13s %-48s %s", m.file, strings.TrimSpace(space.ReplaceAllString(m.to, " ")), strings.Join(failed, " "))
		})
	}
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// judge returns the tests that fail on a copy of infra/.
func judge(t *testing.T, binary, infra string) (failed []string, output string) {
	t.Helper()
	const reading = "^Test(Entities|EventGrid|NoSecret|Azd|Exposure|Kinds|Provider|BuiltIn|CustomRole|GalleryRoles|RoleAssign|Actions|Settings|ServiceBus|Messages|Durations|Metrics)"
	command := exec.Command(binary, "-test.run", reading)
	command.Env = append(os.Environ(), mutatedVariable+"="+infra)
	out, err := command.CombinedOutput()
	for _, found := range failure.FindAllStringSubmatch(string(out), -1) {
		failed = append(failed, found[1])
	}
	if (err != nil) != (len(failed) > 0) || strings.Contains(string(out), "no tests to run") {
		t.Fatalf("%v\n%s", err, out)
	}
	return slices.Compact(failed), string(out)
}

// copyInfra copies infra/ and links what lies beside it.
func copyInfra(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	infra := filepath.Join(root, "infra")
	if err := os.CopyFS(infra, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"azure.yaml", "docs", "function.json", "host.json", "local.settings.example.json"} {
		target, err := filepath.Abs(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return infra
}
