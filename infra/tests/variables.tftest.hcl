# Wrong values are refused before anything is created.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment_name         = "test"
  location                 = "westeurope"
  image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images"]
}

run "each_wrong_value_is_named" {
  command = plan
  variables {
    environment_name         = "Much_Too_Long_Name"
    location                 = "West Europe"
    image_resource_group_ids = []
    vm_events                = { policy = "sometimes" }
    submitter_principal_ids  = ["jane@example.com"]
    waiter_principal_ids     = ["jane@example.com"]
    history_ttl              = "P30D"
    log_level                = "trace"
    alert_emails             = ["ops"]
    operator_principal_ids   = ["jane@example.com"]
    private_network = {
      address_space        = "10.0.0.0/28"
      function_subnet_id   = "function"
      private_dns_zone_ids = { servicebus = "servicebus", blob = "blob" }
    }
    maximum_instance_count     = 0
    log_analytics_workspace_id = "central"
  }
  expect_failures = [
    var.environment_name,
    var.location,
    var.image_resource_group_ids,
    var.vm_events,
    var.submitter_principal_ids,
    var.waiter_principal_ids,
    var.history_ttl,
    var.log_level,
    var.alert_emails,
    var.private_network,
    var.operator_principal_ids,
    var.maximum_instance_count,
    var.log_analytics_workspace_id,
  ]
}

run "values_that_depend_on_others" {
  command = plan
  variables {
    existing_system_topic = {
      id                    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.EventGrid/topics/t"
      identity_principal_id = ""
    }
    always_ready = ["build"]
  }
  expect_failures = [var.existing_system_topic, var.always_ready]
}

run "more_awake_than_there_may_be" {
  command = plan
  variables {
    always_ready = ["take-request", "build-image"]
  }
  expect_failures = [var.always_ready]
}

run "an_identity_that_no_firewall_lets_through" {
  command = plan
  variables {
    private_network = {}
    existing_system_topic = {
      id                    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.EventGrid/systemTopics/t"
      identity_id           = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"
      identity_principal_id = "cccccccc-cccc-cccc-cccc-cccccccccccc"
    }
  }
  expect_failures = [var.existing_system_topic]
}

run "names_where_ids_belong" {
  command = plan
  variables {
    image_resource_group_ids = ["rg-images"]
    history_ttl              = "3d"
    vm_events                = { copy_tags = ["one,two"] }
    environment_name         = "test-"
  }
  expect_failures = [var.image_resource_group_ids, var.history_ttl, var.vm_events, var.environment_name]
}

run "a_whole_subscription_is_too_wide" {
  command = plan
  variables {
    image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111"]
  }
  expect_failures = [var.image_resource_group_ids]
}

run "a_resource_group_twice" {
  command = plan
  variables {
    image_resource_group_ids = [
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images",
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/RG-IMAGES",
    ]
  }
  expect_failures = [var.image_resource_group_ids]
}

run "galleries_that_are_none" {
  command = plan
  variables {
    gallery_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/galleries/corp/images/web"]
  }
  expect_failures = [var.gallery_ids]
}

run "sources_as_wide_as_a_subscription" {
  command = plan
  variables {
    gallery_ids        = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/galleries/corp"]
    gallery_source_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111"]
  }
  expect_failures = [var.gallery_source_ids]
}

run "write_on_sources_to_no_purpose" {
  command = plan
  variables {
    gallery_source_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-build"]
  }
  expect_failures = [var.gallery_source_ids]
}
