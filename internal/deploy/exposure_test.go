package deploy_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// exposure is every line, except names and tags, of the resources that could let an attacker in.
// The list is complete, so that an added line fails the test like a changed one.
var exposure = map[string][]string{
	"azurerm_servicebus_namespace.main": {
		`capacity = local.private ? 1 : 0`,
		`local_auth_enabled = false`,
		`minimum_tls_version = "1.2"`,
		`network_rule_set.default_action = "Allow"`,
		`network_rule_set.for_each = local.private ? [true] : []`,
		`network_rule_set.public_network_access_enabled = false`,
		`network_rule_set.trusted_services_allowed = true`,
		`premium_messaging_partitions = local.private ? 1 : 0`,
		`public_network_access_enabled = !local.private`,
		`sku = local.private ? "Premium" : "Standard"`,
	},
	"azurerm_servicebus_queue.requests": {
		`dead_lettering_on_message_expiration = true`,
		`default_message_ttl = "P3D"`,
		`lock_duration = "PT5M"`,
		`max_delivery_count = 100`,
		`requires_duplicate_detection = false`,
		`requires_session = false`,
	},
	"azurerm_servicebus_queue.builds": {
		`dead_lettering_on_message_expiration = true`,
		`default_message_ttl = "P3D"`,
		`duplicate_detection_history_time_window = "P7D"`,
		`lock_duration = "PT5M"`,
		`max_delivery_count = 100`,
		`requires_duplicate_detection = true`,
		`requires_session = false`,
	},
	"azurerm_eventgrid_system_topic_event_subscription.vms": {
		`advanced_filter.string_begins_with.key = "subject"`,
		`advanced_filter.string_begins_with.values = local.vm_subject_prefixes`,
		`advanced_filter.string_in.key = "data.operationName"`,
		`advanced_filter.string_in.values = [ "Microsoft.Compute/virtualMachines/generalize/action", "Microsoft.Compute/virtualMachines/deallocate/action", ]`,
		`count = local.vm_events ? 1 : 0`,
		`dead_letter_identity.type = local.deliver_as`,
		`dead_letter_identity.user_assigned_identity = local.deliverer_id`,
		`delivery_identity.type = local.deliver_as`,
		`delivery_identity.user_assigned_identity = local.deliverer_id`,
		`depends_on = [ azurerm_role_assignment.event_grid_queue, azurerm_role_assignment.event_grid_dead_letters, ]`,
		`event_delivery_schema = "CloudEventSchemaV1_0"`,
		`included_event_types = ["Microsoft.Resources.ResourceActionSuccess"]`,
		`lifecycle.precondition.condition = length(local.vm_subject_prefixes) > 0`,
		`retry_policy.event_time_to_live = 1440`,
		`retry_policy.max_delivery_attempts = 30`,
		`service_bus_queue_id = azurerm_servicebus_queue.requests.id`,
		`storage_blob_dead_letter_destination.storage_account_id = azurerm_storage_account.main.id`,
		`system_topic = local.topic_name`,
	},
	"azurerm_storage_account.main": {
		`account_replication_type = "LRS"`,
		`account_tier = "Standard"`,
		`allow_nested_items_to_be_public = false`,
		`default_to_oauth_authentication = true`,
		`https_traffic_only_enabled = true`,
		`local_user_enabled = false`,
		`min_tls_version = "TLS1_2"`,
		`network_rules.bypass = ["AzureServices"]`,
		`network_rules.default_action = local.private ? "Deny" : "Allow"`,
		`public_network_access_enabled = !local.private`,
		`shared_access_key_enabled = false`,
	},
	"azurerm_storage_container.deployment":  {`container_access_type = "private"`, `storage_account_id = azurerm_storage_account.main.id`},
	"azurerm_storage_container.ratelimit":   {`container_access_type = "private"`, `storage_account_id = azurerm_storage_account.main.id`},
	"azurerm_storage_container.undelivered": {`container_access_type = "private"`, `count = local.vm_events ? 1 : 0`, `storage_account_id = azurerm_storage_account.main.id`},
	"azurerm_function_app_flex_consumption.main": {
		`always_ready.for_each = var.always_ready`,
		`always_ready.instance_count = 1`,
		`app_settings = merge(local.host_settings, local.trigger_settings, local.handler_settings)`,
		`depends_on = [azurerm_role_assignment.function_storage]`,
		`https_only = true`,
		`identity.identity_ids = [azurerm_user_assigned_identity.function.id]`,
		`identity.type = "UserAssigned"`,
		`instance_memory_in_mb = 512`,
		`maximum_instance_count = var.maximum_instance_count`,
		`runtime_version = "1.0"`,
		`service_plan_id = azurerm_service_plan.main.id`,
		`site_config.application_insights_connection_string = azurerm_application_insights.main.connection_string`,
		`site_config.http2_enabled = true`,
		`site_config.minimum_tls_version = "1.2"`,
		`site_config.scm_minimum_tls_version = "1.2"`,
		`storage_authentication_type = "UserAssignedIdentity"`,
		`storage_container_endpoint = "${azurerm_storage_account.main.primary_blob_endpoint}${azurerm_storage_container.deployment.name}"`,
		`storage_container_type = "blobContainer"`,
		`storage_user_assigned_identity_id = azurerm_user_assigned_identity.function.id`,
		`virtual_network_subnet_id = local.function_subnet_id`,
		`webdeploy_publish_basic_authentication_enabled = false`,
	},
	"azurerm_application_insights.main": {
		`application_type = "other"`,
		`local_authentication_enabled = false`,
		`sampling_percentage = 100`,
		`workspace_id = local.workspace_id`,
	},
	"azurerm_log_analytics_workspace.main": {
		`count = var.log_analytics_workspace_id == null ? 1 : 0`,
		`local_authentication_enabled = false`,
		`retention_in_days = 30`,
		`sku = "PerGB2018"`,
	},
	"azurerm_role_definition.images": {
		`assignable_scopes = distinct(concat( ["/subscriptions/${local.subscription_id}"], [for id in local.image_subscription_ids : "/subscriptions/${id}"], ))`,
		`permissions.actions = sort(keys(local.image_actions))`,
		`scope = "/subscriptions/${local.subscription_id}"`,
	},
	"azurerm_management_lock.main": {
		`depends_on = [ azurerm_servicebus_subscription_rule.history, azurerm_servicebus_subscription_rule.downstream, ]`,
		`for_each = var.delete_locks ? { namespace = azurerm_servicebus_namespace.main.id storage = azurerm_storage_account.main.id } : {}`,
		`lock_level = "CanNotDelete"`,
		`notes = "Holds build requests, dead letters and undelivered VM events. delete_locks = false in infra/ removes this lock."`,
		`scope = each.value`,
	},
	"azurerm_role_definition.galleries": {
		`assignable_scopes = distinct(concat(["/subscriptions/${local.subscription_id}"], [for id in sort(var.gallery_ids) : "/subscriptions/${split("/", id)[2]}"]))`,
		`count = length(var.gallery_ids) > 0 ? 1 : 0`,
		`permissions.actions = sort(keys(local.gallery_actions))`,
		`scope = "/subscriptions/${local.subscription_id}"`,
	},
	"azurerm_role_definition.gallery_sources": {
		`assignable_scopes = distinct(concat(["/subscriptions/${local.subscription_id}"], [for id in sort(var.gallery_source_ids) : "/subscriptions/${split("/", id)[2]}"]))`,
		`count = length(var.gallery_source_ids) > 0 ? 1 : 0`,
		`permissions.actions = sort(keys(local.gallery_source_actions))`,
		`scope = "/subscriptions/${local.subscription_id}"`,
	},
	"azurerm_network_security_group.main": {
		`for_each = local.own_vnet ? local.inbound : {}`,
		`security_rule.access = security_rule.value.access`,
		`security_rule.destination_address_prefix = "*"`,
		`security_rule.destination_port_range = length(security_rule.value.ports) == 1 ? security_rule.value.ports[0] : null`,
		`security_rule.destination_port_ranges = length(security_rule.value.ports) == 1 ? null : security_rule.value.ports`,
		`security_rule.direction = "Inbound"`,
		`security_rule.for_each = concat(each.value, [{ name = "nothing-else", priority = 4096, access = "Deny", source = "*", ports = ["*"] }])`,
		`security_rule.priority = security_rule.value.priority`,
		`security_rule.protocol = security_rule.value.access == "Allow" ? "Tcp" : "*"`,
		`security_rule.source_address_prefix = security_rule.value.source`,
		`security_rule.source_port_range = "*"`,
	},
	"azurerm_subnet.endpoints": {
		`address_prefixes = [cidrsubnet(var.private_network.address_space, 2, 1)]`,
		`count = local.own_vnet ? 1 : 0`,
		`default_outbound_access_enabled = false`,
		`private_endpoint_network_policies = "NetworkSecurityGroupEnabled"`,
	},
}

func TestExposure(t *testing.T) {
	m := readModule(t)
	for address, want := range exposure {
		block := m.resources[address]
		if block == nil {
			t.Errorf("%s is missing", address)
			continue
		}
		if diff := cmp.Diff(want, m.lines(block.Body)); diff != "" {
			t.Errorf("%s (-closed list +infra):\n%s", address, diff)
		}
	}
}

// All resources are of kinds that were reviewed.
func TestKindsOfResources(t *testing.T) {
	var got []string
	for address := range readModule(t).resources {
		kind, _, _ := strings.Cut(address, ".")
		got = append(got, strings.TrimPrefix(kind, "azurerm_"))
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(providerOf)), slices.Compact(got)); diff != "" {
		t.Errorf("kinds (-known +infra):\n%s", diff)
	}
}

// providerOf is the resource provider that each kind of resource needs registered; "" needs none.
var providerOf = map[string]string{
	"application_insights":                      "Microsoft.Insights",
	"application_insights_workbook":             "Microsoft.Insights",
	"eventgrid_system_topic":                    "Microsoft.EventGrid",
	"eventgrid_system_topic_event_subscription": "Microsoft.EventGrid",
	"function_app_flex_consumption":             "Microsoft.Web",
	"log_analytics_workspace":                   "Microsoft.OperationalInsights",
	"management_lock":                           "", // Microsoft.Authorization is always there
	"monitor_action_group":                      "Microsoft.Insights",
	"monitor_diagnostic_setting":                "Microsoft.Insights",
	"monitor_metric_alert":                      "Microsoft.Insights",
	"monitor_scheduled_query_rules_alert_v2":    "Microsoft.Insights",
	"network_security_group":                    "Microsoft.Network",
	"private_dns_zone":                          "Microsoft.Network",
	"private_dns_zone_virtual_network_link":     "Microsoft.Network",
	"private_endpoint":                          "Microsoft.Network",
	"resource_group":                            "",
	"role_assignment":                           "",
	"role_definition":                           "",
	"service_plan":                              "Microsoft.Web",
	"servicebus_namespace":                      "Microsoft.ServiceBus",
	"servicebus_queue":                          "Microsoft.ServiceBus",
	"servicebus_subscription":                   "Microsoft.ServiceBus",
	"servicebus_subscription_rule":              "Microsoft.ServiceBus",
	"servicebus_topic":                          "Microsoft.ServiceBus",
	"storage_account":                           "Microsoft.Storage",
	"storage_container":                         "Microsoft.Storage",
	"subnet":                                    "Microsoft.Network",
	"subnet_network_security_group_association": "Microsoft.Network",
	"user_assigned_identity":                    "Microsoft.ManagedIdentity",
	"virtual_network":                           "Microsoft.Network",
}

// The provider registers what its resources need and what the handler calls, and reaches storage
// without keys.
func TestProvider(t *testing.T) {
	want := []string{"Microsoft.App", "Microsoft.Compute"} // Flex Consumption runs on the first; the handler calls the second
	for _, name := range providerOf {
		if name != "" {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	m := readModule(t)
	var registered []string
	for _, name := range m.value(m.provider.Body.Attributes["resource_providers_to_register"].Expr).AsValueSlice() {
		registered = append(registered, name.AsString())
	}
	if diff := cmp.Diff(slices.Compact(want), registered); diff != "" {
		t.Errorf("resource_providers_to_register (-needed +registered):\n%s", diff)
	}
	lines := slices.DeleteFunc(m.lines(m.provider.Body), func(line string) bool { return strings.HasPrefix(line, "resource_providers_to_register") })
	if diff := cmp.Diff([]string{
		`features.application_insights.disable_generated_rule = true`,
		`features.servicebus.auto_delete_subscription_default_rule = true`,
		`storage_use_azuread = true`,
	}, lines); diff != "" {
		t.Errorf("provider (-want +got):\n%s", diff)
	}
}

var (
	plain   = regexp.MustCompile(`(^|\.)(name|\w+_name|location|tags|description|namespace_id|error_message)$`) // names open nothing
	comment = regexp.MustCompile(`(?m)\s*#.*$`)
	space   = regexp.MustCompile(`\s+`)
)

// lines are a block's attributes as they are written, in alphabetical order, each with the way to
// it.
func (m *module) lines(body *hclsyntax.Body) []string {
	var all []string
	var walk func(string, *hclsyntax.Body)
	walk = func(way string, b *hclsyntax.Body) {
		for name, attribute := range b.Attributes {
			if plain.MatchString(way + name) {
				continue
			}
			extent := attribute.Expr.Range()
			text := m.source[extent.Filename][extent.Start.Byte:extent.End.Byte]
			all = append(all, way+name+" = "+space.ReplaceAllString(comment.ReplaceAllString(text, ""), " "))
		}
		for _, block := range b.Blocks {
			switch block.Type {
			case "dynamic":
				walk(way+block.Labels[0]+".", block.Body)
			case "content":
				walk(way, block.Body)
			default:
				walk(way+block.Type+".", block.Body)
			}
		}
	}
	walk("", body)
	slices.Sort(all)
	return all
}
