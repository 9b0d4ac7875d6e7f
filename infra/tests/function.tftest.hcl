# The function app: no keys, the settings that host and handler read, room to scale but no more than needed.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment_name         = "test"
  location                 = "westeurope"
  image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images"]
}

run "as_deployed" {
  # runtime
  assert {
    condition     = azurerm_function_app_flex_consumption.main.runtime_name == "custom" && azurerm_function_app_flex_consumption.main.runtime_version == "1.0" && azurerm_service_plan.main.sku_name == "FC1"
    error_message = "a custom handler on Flex Consumption"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.maximum_instance_count == 1 && length(azurerm_function_app_flex_consumption.main.always_ready) == 0
    error_message = "one instance by function, and it may sleep"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.https_only && one(azurerm_function_app_flex_consumption.main.site_config).minimum_tls_version == "1.2" && one(azurerm_function_app_flex_consumption.main.site_config).scm_minimum_tls_version == "1.2"
    error_message = "https with TLS 1.2 and above only"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.webdeploy_publish_basic_authentication_enabled == false
    error_message = "no publishing with a password"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.tags["azd-service-name"] == "handler" && azurerm_resource_group.main.tags["azd-env-name"] == "test"
    error_message = "azd finds the app by these tags"
  }

  # storage without keys
  assert {
    condition     = azurerm_storage_account.main.shared_access_key_enabled == false && azurerm_storage_account.main.local_user_enabled == false
    error_message = "the storage account must have no keys and no local users"
  }
  assert {
    condition     = azurerm_storage_account.main.allow_nested_items_to_be_public == false && azurerm_storage_container.deployment.container_access_type == "private" && azurerm_storage_container.undelivered[0].container_access_type == "private" && azurerm_storage_container.ratelimit.container_access_type == "private"
    error_message = "no blob may be public"
  }
  assert {
    condition     = azurerm_storage_account.main.min_tls_version == "TLS1_2" && azurerm_storage_account.main.https_traffic_only_enabled
    error_message = "https with TLS 1.2 and above only"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.storage_authentication_type == "UserAssignedIdentity" && azurerm_function_app_flex_consumption.main.storage_access_key == null
    error_message = "the package is read with the identity"
  }

  # settings hold no secret
  assert {
    condition     = azurerm_function_app_flex_consumption.main.app_settings["AzureWebJobsStorage"] == ""
    error_message = "unset, the provider would write a connection string with a key"
  }
  assert {
    condition     = alltrue([for value in values(azurerm_function_app_flex_consumption.main.app_settings) : !can(regex("(?i)AccountKey=|SharedAccess|sig=|password", value))])
    error_message = "no app setting may hold a key"
  }
  assert {
    condition     = length(azurerm_function_app_flex_consumption.main.connection_string) == 0
    error_message = "no connection strings"
  }
  assert {
    condition     = length(setintersection(keys(azurerm_function_app_flex_consumption.main.app_settings), ["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE"])) == 0
    error_message = "Flex Consumption refuses these settings"
  }

  # settings connect by identity
  assert {
    condition = alltrue([for name, value in {
      AzureWebJobsStorage__credential               = "managedidentity"
      AzureWebJobsStorage__clientId                 = "33333333-3333-3333-3333-333333333333"
      AzureWebJobsStorage__accountName              = azurerm_storage_account.main.name
      ServiceBusConnection__fullyQualifiedNamespace = "${azurerm_servicebus_namespace.main.name}.servicebus.windows.net"
      ServiceBusConnection__credential              = "managedidentity"
      ServiceBusConnection__clientId                = "33333333-3333-3333-3333-333333333333"
      AZURE_CLIENT_ID                               = "33333333-3333-3333-3333-333333333333"
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING     = "ClientId=33333333-3333-3333-3333-333333333333;Authorization=AAD"
    } : azurerm_function_app_flex_consumption.main.app_settings[name] == value])
    error_message = "every connection is the function identity's"
  }
  assert {
    condition     = azurerm_application_insights.main.local_authentication_enabled == false && azurerm_log_analytics_workspace.main[0].local_authentication_enabled == false
    error_message = "telemetry is written with the identity, not with an instrumentation key"
  }
}

run "handler_settings" {
  variables {
    image_resource_group_ids = [
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images",
      "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/RG-Images",
      "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-vms",
    ]
    vm_events = { policy = "all", gallery_image = "corp/web", zone_resilient = true, copy_tags = ["owner", "cost-centre"] }
    log_level = "debug"
  }
  assert {
    condition = alltrue([for name, value in {
      AZURE_SUBSCRIPTION_ID   = "11111111-1111-1111-1111-111111111111"
      REQUEST_QUEUE           = "image-requests"
      BUILD_QUEUE             = "image-builds"
      EVENT_TOPIC             = "image-events"
      MAX_WAIT                = "PT24H"
      VM_EVENTS               = "all"
      VM_GALLERY_IMAGE        = "corp/web"
      VM_ZONE_RESILIENT       = "true"
      VM_COPY_TAGS            = "owner,cost-centre"
      ALLOWED_SUBSCRIPTIONS   = "11111111-1111-1111-1111-111111111111,99999999-9999-9999-9999-999999999999"
      ALLOWED_RESOURCE_GROUPS = "rg-images,rg-vms"
      LOG_LEVEL               = "debug"
    } : azurerm_function_app_flex_consumption.main.app_settings[name] == value])
    error_message = "the handler's settings come from the variables"
  }
}

run "awake" {
  variables {
    always_ready           = ["take-request", "build-image"]
    maximum_instance_count = 40
  }
  assert {
    condition     = { for ready in azurerm_function_app_flex_consumption.main.always_ready : ready.name => ready.instance_count } == { "function:build-image" = 1, "function:take-request" = 1 } && azurerm_function_app_flex_consumption.main.maximum_instance_count == 40
    error_message = "one instance of each function never sleeps"
  }
}

run "default_subscription_may_be_another" {
  variables {
    image_resource_group_ids = ["/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-images"]
    vm_events                = { policy = "off" }
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.app_settings["AZURE_SUBSCRIPTION_ID"] == "99999999-9999-9999-9999-999999999999"
    error_message = "a request that names no subscription goes where images may be created"
  }
}

run "galleries_may_be_written" {
  variables {
    gallery_ids = [
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/RG-Galleries/providers/Microsoft.Compute/galleries/corp",
      "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/rg-images/providers/Microsoft.Compute/galleries/other",
    ]
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.app_settings["ALLOWED_SUBSCRIPTIONS"] == "11111111-1111-1111-1111-111111111111,99999999-9999-9999-9999-999999999999" && azurerm_function_app_flex_consumption.main.app_settings["ALLOWED_RESOURCE_GROUPS"] == "rg-images,rg-galleries"
    error_message = "the allow-lists let requests into the galleries' groups"
  }
}
