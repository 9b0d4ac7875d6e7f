terraform {
  # 1.11: what the tests here are run with (mock_provider needs 1.7).
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}

provider "azurerm" {
  # The storage account has no keys: its data plane is reached with Entra ID.
  storage_use_azuread = true

  # Version 5 registers nothing by itself. These are the providers this module creates resources of.
  resource_providers_to_register = [
    "Microsoft.App", # Flex Consumption runs on it
    "Microsoft.Compute",
    "Microsoft.EventGrid",
    "Microsoft.Insights",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network", # private_network
    "Microsoft.OperationalInsights",
    "Microsoft.ServiceBus",
    "Microsoft.Storage",
    "Microsoft.Web",
  ]

  features {
    application_insights {
      # Azure would add an alert rule that Terraform does not know, and destroy would fail because of it.
      disable_generated_rule = true
    }

    servicebus {
      # A new subscription has a rule that accepts everything. It is deleted at once, because messaging.tf has every rule.
      auto_delete_subscription_default_rule = true
    }
  }
}
