# Event Grid sends the queue an event when a VM was generalized or deallocated.

locals {
  vm_events   = var.vm_events.policy != "off"
  own_topic   = local.vm_events && var.existing_system_topic == null
  topic_parts = local.vm_events && !local.own_topic ? split("/", var.existing_system_topic.id) : []
  topic_id    = local.own_topic ? azurerm_eventgrid_system_topic.vms[0].id : try(var.existing_system_topic.id, null)
  topic_name  = local.own_topic ? azurerm_eventgrid_system_topic.vms[0].name : try(local.topic_parts[8], null)
  topic_group = local.own_topic ? azurerm_resource_group.main.name : try(local.topic_parts[4], null)

  # The firewalls of Service Bus and storage let Event Grid in only with a system-assigned identity.
  own_identity = local.own_topic && !local.private
  deliverer_id = local.own_identity ? azurerm_user_assigned_identity.event_grid[0].id : try(var.existing_system_topic.identity_id, null)
  deliver_as   = local.deliverer_id == null ? "SystemAssigned" : "UserAssigned"

  # The resource groups of this subscription whose VMs may become images; the policy `all` means all of these.
  vm_subject_prefixes = [
    for id in sort(var.image_resource_group_ids) : "${id}/providers/Microsoft.Compute/virtualMachines/"
    if split("/", id)[2] == local.subscription_id
  ]
}

resource "azurerm_eventgrid_system_topic" "vms" {
  count = local.own_topic ? 1 : 0

  name                = "evgt-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  location            = "Global"
  topic_type          = "Microsoft.Resources.Subscriptions"
  source_resource_id  = "/subscriptions/${local.subscription_id}"

  identity {
    type         = local.own_identity ? "UserAssigned" : "SystemAssigned"
    identity_ids = local.own_identity ? [azurerm_user_assigned_identity.event_grid[0].id] : null
  }

  tags = local.tags
}

resource "azurerm_storage_container" "undelivered" {
  count = local.vm_events ? 1 : 0

  name                  = "undelivered-vm-events"
  storage_account_id    = azurerm_storage_account.main.id
  container_access_type = "private"
}

resource "azurerm_eventgrid_system_topic_event_subscription" "vms" {
  count = local.vm_events ? 1 : 0

  name                  = "goldmint-${var.environment_name}"
  system_topic          = local.topic_name
  resource_group_name   = local.topic_group
  event_delivery_schema = "CloudEventSchemaV1_0"
  service_bus_queue_id  = azurerm_servicebus_queue.requests.id

  included_event_types = ["Microsoft.Resources.ResourceActionSuccess"]

  # Event Grid compares these without regard to letter case.
  advanced_filter {
    string_in {
      key = "data.operationName"
      values = [
        "Microsoft.Compute/virtualMachines/generalize/action",
        "Microsoft.Compute/virtualMachines/deallocate/action",
      ]
    }

    string_begins_with {
      key    = "subject"
      values = local.vm_subject_prefixes
    }
  }

  delivery_identity {
    type                   = local.deliver_as
    user_assigned_identity = local.deliverer_id
  }

  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440 # minutes: less than the queue's duplicate window, so a late repeat is still one
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.main.id
    storage_blob_container_name = azurerm_storage_container.undelivered[0].name
  }

  dead_letter_identity {
    type                   = local.deliver_as
    user_assigned_identity = local.deliverer_id
  }

  lifecycle {
    precondition {
      condition     = length(local.vm_subject_prefixes) > 0
      error_message = "image_resource_group_ids names no resource group of the deployment's subscription, so no VM event can arrive: set vm_events = { policy = \"off\" }, or see docs/deploy.md, \"Several subscriptions\"."
    }
  }

  # Azure checks at creation that the identity may write to the queue and the container.
  depends_on = [
    azurerm_role_assignment.event_grid_queue,
    azurerm_role_assignment.event_grid_dead_letters,
  ]
}
