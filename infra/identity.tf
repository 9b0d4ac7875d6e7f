# Rights: two identities and one custom role. No scope is wider than an entity or a resource group.

resource "azurerm_user_assigned_identity" "function" {
  name                = "id-${local.name}-function"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = local.tags
}

resource "azurerm_user_assigned_identity" "event_grid" {
  count = local.own_identity ? 1 : 0

  name                = "id-${local.name}-events"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = local.tags
}

locals {
  # Azure's built-in roles, by id: names can be changed, ids cannot.
  role_ids = {
    service_bus_data_receiver     = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"
    service_bus_data_owner        = "090c5cfd-751d-490a-894a-3ce6f1109419"
    service_bus_data_sender       = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
    storage_blob_data_owner       = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
    storage_blob_data_contributor = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    monitoring_metrics_publisher  = "3913510d-42f4-4e42-8a64-420c390055eb"
  }
  roles = { for name, id in local.role_ids : name => "/subscriptions/${local.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${id}" }

  # All that the function may do to Azure's resources: each action and why.
  image_actions = {
    "Microsoft.Compute/images/read"                       = "look before creating; the verdict on a build comes from the image"
    "Microsoft.Compute/images/write"                      = "create the image"
    "Microsoft.Compute/images/delete"                     = "clear a failed image of its own; ifExists = replace"
    "Microsoft.Compute/virtualMachines/read"              = "a VM's tags, region, disks and vmId; the source of an image"
    "Microsoft.Compute/virtualMachines/instanceView/read" = "a VM is read with its instance view: is it deallocated and generalized"
    "Microsoft.Compute/virtualMachines/generalize/action" = "VMs tagged goldmint-generalize"
    "Microsoft.Compute/disks/read"                        = "the uniqueId of the disk an image is made from; ARM asks for it as well"
    "Microsoft.Compute/snapshots/read"                    = "the uniqueId of the snapshot an image is made from; ARM asks for it as well"
    "Microsoft.Compute/diskEncryptionSets/read"           = "ARM asks for it where an image is encrypted with one"
    "Microsoft.Compute/locations/operations/read"         = "how far a creation is"
  }
}

# One role for all targets. A role must be assignable in a subscription to be assigned in one of its resource groups.
resource "azurerm_role_definition" "images" {
  name        = "Goldmint image builder (${local.name}-${local.suffix})"
  description = "Create managed images from VMs, disks, snapshots and blobs."
  scope       = "/subscriptions/${local.subscription_id}"
  assignable_scopes = distinct(concat(
    ["/subscriptions/${local.subscription_id}"],
    [for id in local.image_subscription_ids : "/subscriptions/${id}"],
  ))

  permissions {
    actions = sort(keys(local.image_actions))
  }
}

resource "azurerm_role_assignment" "function_images" {
  for_each = var.image_resource_group_ids

  scope              = each.value
  role_definition_id = "/subscriptions/${split("/", each.value)[2]}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.images.role_definition_id}"
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

# The trigger receives; the handler dead-letters with the same right.
resource "azurerm_role_assignment" "function_requests" {
  scope              = azurerm_servicebus_queue.requests.id
  role_definition_id = local.roles.service_bus_data_receiver
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

# The function's own queue: it receives, sends, and lets the scale controller count scheduled messages, which needs this role.
# Without it the controller sees an empty queue behind ten scheduled messages.
resource "azurerm_role_assignment" "function_builds" {
  scope              = azurerm_servicebus_queue.builds.id
  role_definition_id = local.roles.service_bus_data_owner
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "function_topic_sender" {
  scope              = azurerm_servicebus_topic.events.id
  role_definition_id = local.roles.service_bus_data_sender
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

# The host keeps its locks and the deployed package there.
resource "azurerm_role_assignment" "function_storage" {
  scope              = azurerm_storage_account.main.id
  role_definition_id = local.roles.storage_blob_data_owner
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "function_telemetry" {
  scope              = azurerm_application_insights.main.id
  role_definition_id = local.roles.monitoring_metrics_publisher
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

locals {
  deliverer_principal_id = (
    local.own_identity ? azurerm_user_assigned_identity.event_grid[0].principal_id :
    local.own_topic ? one(azurerm_eventgrid_system_topic.vms[0].identity).principal_id :
    try(var.existing_system_topic.identity_principal_id, null)
  )
}

resource "azurerm_role_assignment" "event_grid_queue" {
  count = local.vm_events ? 1 : 0

  scope              = azurerm_servicebus_queue.requests.id
  role_definition_id = local.roles.service_bus_data_sender
  principal_id       = local.deliverer_principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "event_grid_dead_letters" {
  count = local.vm_events ? 1 : 0

  scope              = azurerm_storage_container.undelivered[0].id
  role_definition_id = local.roles.storage_blob_data_contributor
  principal_id       = local.deliverer_principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "submitters" {
  for_each = var.submitter_principal_ids

  scope              = azurerm_servicebus_queue.requests.id
  role_definition_id = local.roles.service_bus_data_sender
  principal_id       = each.value
}

resource "azurerm_role_assignment" "waiters" {
  for_each = var.waiter_principal_ids

  scope              = azurerm_servicebus_subscription.history.id
  role_definition_id = local.roles.service_bus_data_receiver
  principal_id       = each.value
}

# Operators read and resubmit dead letters. With the right to send to the builds queue they can write any build: see docs/security.md.
resource "azurerm_role_assignment" "operators_receive" {
  for_each = local.operator_queues

  scope              = each.value.queue
  role_definition_id = local.roles.service_bus_data_receiver
  principal_id       = each.value.principal
}

resource "azurerm_role_assignment" "operators_send" {
  for_each = local.operator_queues

  scope              = each.value.queue
  role_definition_id = local.roles.service_bus_data_sender
  principal_id       = each.value.principal
}

locals {
  operator_queues = merge([for id in var.operator_principal_ids : {
    "${id}/requests" = { principal = id, queue = azurerm_servicebus_queue.requests.id }
    "${id}/builds"   = { principal = id, queue = azurerm_servicebus_queue.builds.id }
  }]...)
}
