# Least privilege: who holds which role, on what, and nothing else.

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
  submitter_principal_ids = ["aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"]
  waiter_principal_ids    = ["bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"]
  operator_principal_ids  = ["cccccccc-cccc-cccc-cccc-cccccccccccc"]
}

run "as_deployed" {
  # custom role
  assert {
    condition = azurerm_role_definition.images.permissions[0].actions == tolist([
      "Microsoft.Compute/diskEncryptionSets/read",
      "Microsoft.Compute/disks/read",
      "Microsoft.Compute/images/delete",
      "Microsoft.Compute/images/read",
      "Microsoft.Compute/images/write",
      "Microsoft.Compute/locations/operations/read",
      "Microsoft.Compute/snapshots/read",
      "Microsoft.Compute/virtualMachines/generalize/action",
      "Microsoft.Compute/virtualMachines/instanceView/read",
      "Microsoft.Compute/virtualMachines/read",
    ])
    error_message = "the role holds exactly these actions"
  }
  assert {
    condition     = alltrue([for action in azurerm_role_definition.images.permissions[0].actions : !strcontains(action, "*")])
    error_message = "no wildcard"
  }
  assert {
    condition     = try(length(azurerm_role_definition.images.permissions[0].data_actions), 0) == 0
    error_message = "no data actions"
  }
  assert {
    condition     = azurerm_role_definition.images.assignable_scopes == tolist(["/subscriptions/11111111-1111-1111-1111-111111111111", "/subscriptions/99999999-9999-9999-9999-999999999999"])
    error_message = "assignable where the images are"
  }

  # images in resource groups only
  assert {
    condition     = toset([for assignment in azurerm_role_assignment.function_images : assignment.scope]) == var.image_resource_group_ids
    error_message = "the custom role is assigned on the given resource groups, no wider"
  }
  assert {
    condition     = azurerm_role_assignment.function_images["/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-other"].role_definition_id == "/subscriptions/99999999-9999-9999-9999-999999999999/providers/Microsoft.Authorization/roleDefinitions/55555555-5555-5555-5555-555555555555"
    error_message = "a role's id carries the subscription it is assigned in"
  }

  # messaging by entity
  assert {
    condition     = azurerm_role_assignment.function_requests.scope == azurerm_servicebus_queue.requests.id && endswith(azurerm_role_assignment.function_requests.role_definition_id, "/4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0")
    error_message = "the function receives requests and can send none"
  }
  assert {
    condition     = azurerm_role_assignment.function_builds.scope == azurerm_servicebus_queue.builds.id && endswith(azurerm_role_assignment.function_builds.role_definition_id, "/090c5cfd-751d-490a-894a-3ce6f1109419")
    error_message = "the function owns the queue of its own builds, and that alone"
  }
  assert {
    condition     = azurerm_role_assignment.function_topic_sender.scope == azurerm_servicebus_topic.events.id && endswith(azurerm_role_assignment.function_topic_sender.role_definition_id, "/69a216fc-b8fb-44d8-bc22-1f3c2cd27a39")
    error_message = "the function sends events to the topic and cannot read them"
  }
  assert {
    condition     = azurerm_role_assignment.event_grid_queue[0].scope == azurerm_servicebus_queue.requests.id && endswith(azurerm_role_assignment.event_grid_queue[0].role_definition_id, "/69a216fc-b8fb-44d8-bc22-1f3c2cd27a39")
    error_message = "Event Grid sends to the queue, no more"
  }
  assert {
    condition     = azurerm_role_assignment.event_grid_dead_letters[0].scope == azurerm_storage_container.undelivered[0].id && endswith(azurerm_role_assignment.event_grid_dead_letters[0].role_definition_id, "/ba92f5b4-2d11-453d-a403-e96b0029c9fe")
    error_message = "Event Grid writes to its one container"
  }

  # storage and telemetry
  assert {
    condition     = azurerm_role_assignment.function_storage.scope == azurerm_storage_account.main.id && endswith(azurerm_role_assignment.function_storage.role_definition_id, "/b7e6dc6d-f1e8-4753-8033-0f276bb0955b")
    error_message = "the host owns the blobs of its own account"
  }
  assert {
    condition     = azurerm_role_assignment.function_telemetry.scope == azurerm_application_insights.main.id && endswith(azurerm_role_assignment.function_telemetry.role_definition_id, "/3913510d-42f4-4e42-8a64-420c390055eb")
    error_message = "the host publishes telemetry to its own component"
  }

  # people
  assert {
    condition     = [for a in azurerm_role_assignment.submitters : [a.scope, a.principal_id, split("/", a.role_definition_id)[6]]] == [[azurerm_servicebus_queue.requests.id, "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"]]
    error_message = "a submitter is a Sender on the queue"
  }
  assert {
    condition     = [for a in azurerm_role_assignment.waiters : [a.scope, a.principal_id, split("/", a.role_definition_id)[6]]] == [[azurerm_servicebus_subscription.history.id, "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"]]
    error_message = "a waiter is a Receiver on history"
  }
  assert {
    condition = alltrue([for role in [azurerm_role_assignment.operators_receive, azurerm_role_assignment.operators_send] :
      { for key, a in role : key => [a.scope, a.principal_id] } == {
        "cccccccc-cccc-cccc-cccc-cccccccccccc/builds"   = [azurerm_servicebus_queue.builds.id, "cccccccc-cccc-cccc-cccc-cccccccccccc"]
        "cccccccc-cccc-cccc-cccc-cccccccccccc/requests" = [azurerm_servicebus_queue.requests.id, "cccccccc-cccc-cccc-cccc-cccccccccccc"]
    }])
    error_message = "an operator receives from and sends to both queues"
  }
}

run "nobody_operates_unless_named" {
  variables {
    operator_principal_ids = []
  }
  assert {
    condition     = length(azurerm_role_assignment.operators_receive) + length(azurerm_role_assignment.operators_send) == 0
    error_message = "an operator can write any build: nobody is one by default"
  }
}

run "no_galleries_by_default" {
  assert {
    condition     = length(azurerm_role_definition.galleries) + length(azurerm_role_definition.gallery_sources) + length(azurerm_role_assignment.function_galleries) + length(azurerm_role_assignment.function_gallery_sources) == 0
    error_message = "no right on galleries, and no write on sources, unless asked for"
  }
}

run "galleries" {
  variables {
    gallery_ids        = ["/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-galleries/providers/Microsoft.Compute/galleries/corp"]
    gallery_source_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-build"]
  }
  assert {
    condition = azurerm_role_definition.galleries[0].permissions[0].actions == tolist([
      "Microsoft.Compute/galleries/images/versions/delete",
      "Microsoft.Compute/galleries/images/versions/read",
      "Microsoft.Compute/galleries/images/versions/write",
      "Microsoft.Compute/locations/capsOperations/read",
    ])
    error_message = "versions alone: no galleries, no definitions"
  }
  assert {
    condition = azurerm_role_definition.gallery_sources[0].permissions[0].actions == tolist([
      "Microsoft.Compute/disks/read",
      "Microsoft.Compute/disks/write",
      "Microsoft.Compute/snapshots/read",
      "Microsoft.Compute/snapshots/write",
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Compute/virtualMachines/write",
    ])
    error_message = "read and write on sources, no deletion and no action on them"
  }
  assert {
    condition     = toset([for assignment in azurerm_role_assignment.function_galleries : assignment.scope]) == var.gallery_ids && toset([for assignment in azurerm_role_assignment.function_gallery_sources : assignment.scope]) == var.gallery_source_ids
    error_message = "each role on what is named, no wider"
  }
  assert {
    condition     = startswith(one(values(azurerm_role_assignment.function_galleries)).role_definition_id, "/subscriptions/99999999-9999-9999-9999-999999999999/") && azurerm_role_definition.galleries[0].assignable_scopes == tolist(["/subscriptions/11111111-1111-1111-1111-111111111111", "/subscriptions/99999999-9999-9999-9999-999999999999"])
    error_message = "a role must be assignable in the gallery's subscription"
  }
}
