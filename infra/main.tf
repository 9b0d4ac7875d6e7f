# Goldmint in one subscription: a queue that asks for images, a function that builds them, a topic for the events about them.
# Read on in messaging.tf, function.tf, events.tf, identity.tf, monitoring.tf; network.tf is optional.

data "azurerm_client_config" "current" {}

locals {
  subscription_id = data.azurerm_client_config.current.subscription_id
  name            = "goldmint-${var.environment_name}"

  # Names that must be globally unique end in six characters of a hash, the same at every apply.
  suffix = substr(sha256("${local.subscription_id}/${var.location}/${var.environment_name}"), 0, 6)

  # azd finds what it deploys to by these two tags (azure.yaml).
  tags     = merge(var.tags, { "azd-env-name" = var.environment_name })
  app_tags = merge(local.tags, { "azd-service-name" = "handler" })

  private = var.private_network != null
}

resource "azurerm_resource_group" "main" {
  name     = "rg-${local.name}"
  location = var.location
  tags     = local.tags
}
