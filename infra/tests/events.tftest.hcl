# Which VM events reach the queue, and how.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment_name = "test"
  location         = "westeurope"
  image_resource_group_ids = [
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images",
    "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-other",
  ]
}

run "as_deployed" {
  # system topic
  assert {
    condition     = azurerm_eventgrid_system_topic.vms[0].topic_type == "Microsoft.Resources.Subscriptions" && azurerm_eventgrid_system_topic.vms[0].source_resource_id == "/subscriptions/11111111-1111-1111-1111-111111111111" && lower(azurerm_eventgrid_system_topic.vms[0].location) == "global"
    error_message = "the system topic is the subscription's"
  }

  # filters
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.vms[0].included_event_types == tolist(["Microsoft.Resources.ResourceActionSuccess"])
    error_message = "only actions that succeeded"
  }
  assert {
    condition = azurerm_eventgrid_system_topic_event_subscription.vms[0].advanced_filter[0].string_in == tolist([{
      key = "data.operationName"
      values = tolist([
        "Microsoft.Compute/virtualMachines/generalize/action",
        "Microsoft.Compute/virtualMachines/deallocate/action",
      ])
    }])
    error_message = "only the two VM actions"
  }
  assert {
    condition = azurerm_eventgrid_system_topic_event_subscription.vms[0].advanced_filter[0].string_begins_with == tolist([{
      key    = "subject"
      values = tolist(["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images/providers/Microsoft.Compute/virtualMachines/"])
    }])
    error_message = "only VMs of the given resource groups in this subscription (an advanced filter compares without case)"
  }

  # delivery
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.vms[0].service_bus_queue_id == azurerm_servicebus_queue.requests.id && azurerm_eventgrid_system_topic_event_subscription.vms[0].event_delivery_schema == "CloudEventSchemaV1_0"
    error_message = "CloudEvents into the queue of requests"
  }
  assert {
    condition     = one(azurerm_eventgrid_system_topic_event_subscription.vms[0].delivery_identity).type == "UserAssigned" && one(azurerm_eventgrid_system_topic_event_subscription.vms[0].delivery_identity).user_assigned_identity == azurerm_user_assigned_identity.event_grid[0].id
    error_message = "delivered with Event Grid's identity"
  }
  assert {
    condition     = one(azurerm_eventgrid_system_topic_event_subscription.vms[0].retry_policy).max_delivery_attempts == 30 && one(azurerm_eventgrid_system_topic_event_subscription.vms[0].retry_policy).event_time_to_live == 1440
    error_message = "a day of attempts, well inside the queue's duplicate window"
  }
  assert {
    condition     = one(azurerm_eventgrid_system_topic_event_subscription.vms[0].storage_blob_dead_letter_destination).storage_blob_container_name == azurerm_storage_container.undelivered[0].name && one(azurerm_eventgrid_system_topic_event_subscription.vms[0].dead_letter_identity).user_assigned_identity == azurerm_user_assigned_identity.event_grid[0].id
    error_message = "what cannot be delivered is kept"
  }
}

run "off_means_off" {
  variables {
    vm_events = { policy = "off" }
  }
  assert {
    condition     = length(azurerm_eventgrid_system_topic.vms) + length(azurerm_eventgrid_system_topic_event_subscription.vms) + length(azurerm_user_assigned_identity.event_grid) + length(azurerm_role_assignment.event_grid_queue) + length(azurerm_role_assignment.event_grid_dead_letters) == 0
    error_message = "without VM events there is nothing of Event Grid"
  }
}

run "existing_topic" {
  variables {
    existing_system_topic = {
      id                    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-shared/providers/Microsoft.EventGrid/systemTopics/subscription-events"
      identity_id           = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-shared/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-shared"
      identity_principal_id = "cccccccc-cccc-cccc-cccc-cccccccccccc"
    }
  }
  assert {
    condition     = length(azurerm_eventgrid_system_topic.vms) == 0 && length(azurerm_user_assigned_identity.event_grid) == 0
    error_message = "no second system topic for one subscription"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.vms[0].system_topic == "subscription-events" && azurerm_eventgrid_system_topic_event_subscription.vms[0].resource_group_name == "rg-shared"
    error_message = "the event subscription is made on the topic given"
  }
  assert {
    condition     = azurerm_role_assignment.event_grid_queue[0].principal_id == "cccccccc-cccc-cccc-cccc-cccccccccccc" && one(azurerm_eventgrid_system_topic_event_subscription.vms[0].delivery_identity).user_assigned_identity == var.existing_system_topic.identity_id
    error_message = "it delivers with the identity that the topic carries"
  }
  assert {
    condition     = alltrue([for name in ["undelivered-vm-events", "lost-vm-events"] : azurerm_monitor_metric_alert.main[name].scopes == toset([var.existing_system_topic.id]) && one(one(azurerm_monitor_metric_alert.main[name].criteria).dimension).values == tolist(["goldmint-test"])])
    error_message = "the alerts look at that topic, and there at this event subscription alone"
  }
}

run "vm_events_need_a_group_of_this_subscription" {
  command = plan
  variables {
    image_resource_group_ids = ["/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-other"]
  }
  expect_failures = [azurerm_eventgrid_system_topic_event_subscription.vms]
}
