# What the mocked provider answers where the configuration or the provider reads a value back.
# Ids have the form that the provider checks.

mock_data "azurerm_client_config" {
  defaults = {
    subscription_id = "11111111-1111-1111-1111-111111111111"
    tenant_id       = "22222222-2222-2222-2222-222222222222"
  }
}

mock_resource "azurerm_resource_group" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test" }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-function"
    client_id    = "33333333-3333-3333-3333-333333333333"
    principal_id = "44444444-4444-4444-4444-444444444444"
  }
}

mock_resource "azurerm_role_definition" {
  defaults = { role_definition_id = "55555555-5555-5555-5555-555555555555" }
}

mock_resource "azurerm_storage_account" {
  defaults = {
    id                    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Storage/storageAccounts/stgoldmint"
    primary_blob_endpoint = "https://stgoldmint.blob.core.windows.net/"
  }
}

mock_resource "azurerm_storage_container" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Storage/storageAccounts/stgoldmint/blobServices/default/containers/undelivered-vm-events" }
}

mock_resource "azurerm_service_plan" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Web/serverFarms/asp" }
}

mock_resource "azurerm_servicebus_namespace" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.ServiceBus/namespaces/sb" }
}

mock_resource "azurerm_servicebus_queue" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.ServiceBus/namespaces/sb/queues/image-builds" }
}

# Two queues, two ids: or a right on the wrong one would pass.
override_resource {
  target = azurerm_servicebus_queue.requests
  values = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.ServiceBus/namespaces/sb/queues/image-requests" }
}

mock_resource "azurerm_servicebus_topic" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.ServiceBus/namespaces/sb/topics/image-events" }
}

mock_resource "azurerm_servicebus_subscription" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.ServiceBus/namespaces/sb/topics/image-events/subscriptions/history" }
}

mock_resource "azurerm_eventgrid_system_topic" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.EventGrid/systemTopics/evgt" }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.OperationalInsights/workspaces/log" }
}

mock_resource "azurerm_application_insights" {
  defaults = {
    id                = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Insights/components/appi"
    connection_string = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
  }
}

mock_resource "azurerm_monitor_action_group" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Insights/actionGroups/ag" }
}

mock_resource "azurerm_virtual_network" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Network/virtualNetworks/vnet" }
}

mock_resource "azurerm_network_security_group" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Network/networkSecurityGroups/nsg" }
}

mock_resource "azurerm_subnet" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Network/virtualNetworks/vnet/subnets/function" }
}

mock_resource "azurerm_private_dns_zone" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-goldmint-test/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net" }
}
