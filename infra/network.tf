# Optional (private_network): Service Bus and storage are not reachable from the internet. Nothing here exists otherwise.
# Submitters and waiters must then be in this VNet or one peered with it. Application Insights stays public.
# Landing zones forbid new VNets and DNS zones: then name existing subnets and zones instead.

locals {
  own_vnet  = local.private && try(var.private_network.function_subnet_id, null) == null
  own_zones = local.private && try(var.private_network.private_dns_zone_ids, null) == null

  function_subnet_id = local.own_vnet ? azurerm_subnet.function[0].id : try(var.private_network.function_subnet_id, null)
  endpoint_subnet_id = local.own_vnet ? azurerm_subnet.endpoints[0].id : try(var.private_network.endpoint_subnet_id, null)
  vnet_id            = local.own_vnet ? azurerm_virtual_network.main[0].id : try(split("/subnets/", var.private_network.endpoint_subnet_id)[0], null)

  private_zones = local.private ? {
    servicebus = { zone = "privatelink.servicebus.windows.net", subresource = "namespace", target = azurerm_servicebus_namespace.main.id }
    blob       = { zone = "privatelink.blob.core.windows.net", subresource = "blob", target = azurerm_storage_account.main.id }
  } : {}
  private_zone_ids = { for key, zone in local.private_zones : key =>
    local.own_zones ? azurerm_private_dns_zone.main[key].id : var.private_network.private_dns_zone_ids[key]
  }

  # What may come in: nothing to the function, Service Bus (AMQP, HTTPS) and blobs to the endpoints.
  inbound = {
    function  = []
    endpoints = [{ name = "from-vnet", priority = 100, access = "Allow", source = "VirtualNetwork", ports = ["443", "5671-5672"] }]
  }
}

resource "azurerm_virtual_network" "main" {
  count = local.own_vnet ? 1 : 0

  name                = "vnet-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  address_space       = [var.private_network.address_space]
  tags                = local.tags
}

resource "azurerm_subnet" "function" {
  count = local.own_vnet ? 1 : 0

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
  count = local.own_vnet ? 1 : 0

  name                            = "endpoints"
  resource_group_name             = azurerm_resource_group.main.name
  virtual_network_name            = azurerm_virtual_network.main[0].name
  address_prefixes                = [cidrsubnet(var.private_network.address_space, 2, 1)]
  default_outbound_access_enabled = false

  private_endpoint_network_policies = "NetworkSecurityGroupEnabled" # or the group below would not hold for endpoints
}

resource "azurerm_network_security_group" "main" {
  for_each = local.own_vnet ? local.inbound : {}

  name                = "nsg-${local.name}-${each.key}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = local.tags

  dynamic "security_rule" {
    for_each = concat(each.value, [{ name = "nothing-else", priority = 4096, access = "Deny", source = "*", ports = ["*"] }])
    content {
      name                       = security_rule.value.name
      priority                   = security_rule.value.priority
      direction                  = "Inbound"
      access                     = security_rule.value.access
      protocol                   = security_rule.value.access == "Allow" ? "Tcp" : "*"
      source_address_prefix      = security_rule.value.source
      source_port_range          = "*"
      destination_address_prefix = "*"
      destination_port_range     = length(security_rule.value.ports) == 1 ? security_rule.value.ports[0] : null
      destination_port_ranges    = length(security_rule.value.ports) == 1 ? null : security_rule.value.ports
    }
  }
}

resource "azurerm_subnet_network_security_group_association" "main" {
  for_each = local.own_vnet ? { function = azurerm_subnet.function[0].id, endpoints = azurerm_subnet.endpoints[0].id } : {}

  subnet_id                 = each.value
  network_security_group_id = azurerm_network_security_group.main[each.key].id
}

resource "azurerm_private_dns_zone" "main" {
  for_each = { for key, zone in local.private_zones : key => zone if local.own_zones }

  name                = each.value.zone
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "main" {
  for_each = { for key, zone in local.private_zones : key => zone if local.own_zones }

  name                = "link-${each.key}"
  private_dns_zone_id = azurerm_private_dns_zone.main[each.key].id
  virtual_network_id  = local.vnet_id
  tags                = local.tags
}

resource "azurerm_private_endpoint" "main" {
  for_each = local.private_zones

  name                = "pe-${local.name}-${each.key}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  subnet_id           = local.endpoint_subnet_id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.target
    subresource_names              = [each.value.subresource]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [local.private_zone_ids[each.key]]
  }
}
