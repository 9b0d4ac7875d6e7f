# Packer prepares a machine and leaves its disk; Goldmint makes the image of it. So the identity that Packer runs as needs no
# right to create images, and every image is announced, tagged and named in one way.
#
# Goldmint signs in as Packer's shell does: run `az login`, or set GOLDMINT_CONNECTION_STRING.
packer {
  required_plugins {
    azure = {
      source  = "github.com/hashicorp/azure"
      version = "~> 2"
    }
  }
}

variable "subscription_id" {
  type    = string
  default = "6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41"
}

variable "resource_group" {
  type    = string
  default = "golden-images"
}

variable "location" {
  type    = string
  default = "westeurope"
}

variable "release" {
  type    = string
  default = "20261123"
}

locals {
  disk    = "web-${var.release}-os"
  disk_id = "/subscriptions/${var.subscription_id}/resourceGroups/${var.resource_group}/providers/Microsoft.Compute/disks/${local.disk}"
}

source "azure-arm" "web" {
  use_azure_cli_auth        = true
  subscription_id           = var.subscription_id
  build_resource_group_name = var.resource_group

  os_type         = "Linux"
  image_publisher = "Canonical"
  image_offer     = "ubuntu-24_04-lts"
  image_sku       = "server"
  vm_size         = "Standard_D2s_v5"

  # No image is made here: the disk stays.
  skip_create_image = true
  keep_os_disk      = true
  temp_os_disk_name = local.disk
}

build {
  sources = ["source.azure-arm.web"]

  provisioner "shell" {
    inline = [
      "sudo apt-get update && sudo apt-get install -y nginx",
      "sudo waagent -force -deprovision+user && sync",
    ]
  }

  post-processor "shell-local" {
    environment_vars = [
      "DISK_ID=${local.disk_id}",
      "IMAGE_NAME=web-${var.release}",
      "SUBSCRIPTION_ID=${var.subscription_id}",
      "RESOURCE_GROUP=${var.resource_group}",
      "LOCATION=${var.location}",
    ]
    inline = [
      "goldmint new disk > web.yaml",
      "goldmint submit web.yaml --set subscriptionId=$SUBSCRIPTION_ID --set resourceGroup=$RESOURCE_GROUP --set name=$IMAGE_NAME --set image.location=$LOCATION --set image.properties.storageProfile.osDisk.managedDisk.id=$DISK_ID --id $IMAGE_NAME --wait --timeout 90m > image-id.txt",
    ]
  }
}
