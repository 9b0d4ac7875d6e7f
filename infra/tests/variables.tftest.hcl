# Wrong values are refused before anything is created.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment_name         = "test"
  location                 = "westeurope"
  image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images"]
}

run "environment_name" {
  command = plan
  variables {
    environment_name = "Much_Too_Long_Name"
  }
  expect_failures = [var.environment_name]
}

run "location" {
  command = plan
  variables {
    location = "West Europe"
  }
  expect_failures = [var.location]
}

run "no_resource_group" {
  command = plan
  variables {
    image_resource_group_ids = []
  }
  expect_failures = [var.image_resource_group_ids]
}

run "resource_group_name_instead_of_id" {
  command = plan
  variables {
    image_resource_group_ids = ["rg-images"]
  }
  expect_failures = [var.image_resource_group_ids]
}

run "whole_subscription" {
  command = plan
  variables {
    image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111"]
  }
  expect_failures = [var.image_resource_group_ids]
}

run "resource_group_twice" {
  command = plan
  variables {
    image_resource_group_ids = [
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images",
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/RG-IMAGES",
    ]
  }
  expect_failures = [var.image_resource_group_ids]
}

run "vm_events_policy" {
  command = plan
  variables {
    vm_events = { policy = "sometimes" }
  }
  expect_failures = [var.vm_events]
}

run "submitter_by_name" {
  command = plan
  variables {
    submitter_principal_ids = ["jane@example.com"]
  }
  expect_failures = [var.submitter_principal_ids]
}

run "waiter_by_name" {
  command = plan
  variables {
    waiter_principal_ids = ["jane@example.com"]
  }
  expect_failures = [var.waiter_principal_ids]
}

run "history_ttl_of_a_month" {
  command = plan
  variables {
    history_ttl = "P30D"
  }
  expect_failures = [var.history_ttl]
}

run "history_ttl_in_the_wrong_words" {
  command = plan
  variables {
    history_ttl = "3d"
  }
  expect_failures = [var.history_ttl]
}

run "log_level" {
  command = plan
  variables {
    log_level = "trace"
  }
  expect_failures = [var.log_level]
}

run "alert_email" {
  command = plan
  variables {
    alert_emails = ["ops"]
  }
  expect_failures = [var.alert_emails]
}

run "address_space_too_small" {
  command = plan
  variables {
    private_network = { address_space = "10.0.0.0/28" }
  }
  expect_failures = [var.private_network]
}

run "existing_topic_of_another_kind" {
  command = plan
  variables {
    existing_system_topic = {
      id                    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.EventGrid/topics/t"
      identity_id           = ""
      identity_principal_id = ""
    }
  }
  expect_failures = [var.existing_system_topic]
}
