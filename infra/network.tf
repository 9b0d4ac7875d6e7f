# Optional (private_network): Service Bus and storage leave the internet. Nothing here exists otherwise.
# Submitters and waiters must then be in this VNet or one peered with it. Application Insights stays public.

locals {
  private_zones = local.private ? {
    servicebus = { zone = "privatelink.servicebus.windows.net", subresource = "namespace", target = azurerm_servicebus_namespace.main.id }
    blob       = { zone = "privatelink.blob.core.windows.net", subresource = "blob", target = azurerm_storage_account.main.id }
  } : {}
}

resource "azurerm_virtual_network" "main" {
  count = local.private ? 1 : 0

  name                = "vnet-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  address_space       = [var.private_network.address_space]
  tags                = local.tags
}

resource "azurerm_subnet" "function" {
  count = local.private ? 1 : 0

  name                            = "function" # Flex refuses underscores
  resource_group_name             = azurerm_resource_group.main.name
  virtual_network_name            = azurerm_virtual_network.main[0].name
  address_prefixes                = [cidrsubnet(var.private_network.address_space, 2, 0)]
  default_outbound_access_enabled = true # ARM and Application Insights are on the internet

  delegation {
    name = "flex"
    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  count = local.private ? 1 : 0

  name                            = "endpoints"
  resource_group_name             = azurerm_resource_group.main.name
  virtual_network_name            = azurerm_virtual_network.main[0].name
  address_prefixes                = [cidrsubnet(var.private_network.address_space, 2, 1)]
  default_outbound_access_enabled = false
}

resource "azurerm_private_dns_zone" "main" {
  for_each = local.private_zones

  name                = each.value.zone
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "main" {
  for_each = local.private_zones

  name                = "link-${each.key}"
  private_dns_zone_id = azurerm_private_dns_zone.main[each.key].id
  virtual_network_id  = azurerm_virtual_network.main[0].id
  tags                = local.tags
}

resource "azurerm_private_endpoint" "main" {
  for_each = local.private_zones

  name                = "pe-${local.name}-${each.key}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.target
    subresource_names              = [each.value.subresource]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [azurerm_private_dns_zone.main[each.key].id]
  }
}
