# Terraform: an image that is built again whenever its request changes, and machines that are made from it.
#
# Goldmint signs in as Terraform's shell does: run `az login`, or set GOLDMINT_CONNECTION_STRING.
terraform {
  required_providers {
    local = {
      source  = "hashicorp/local"
      version = "~> 2.5"
    }
  }
}

variable "request" {
  description = "The build request, YAML or JSON."
  type        = string
  default     = "../web.yaml"
}

variable "image_name" {
  description = "The image's name. A new one for each release: an image is never changed."
  type        = string
  default     = "web-20261123"
}

resource "terraform_data" "image" {
  triggers_replace = [filesha256(var.request), var.image_name]

  provisioner "local-exec" {
    interpreter = ["bash", "-euc"]
    environment = {
      REQUEST    = var.request
      IMAGE_NAME = var.image_name
    }
    # The id makes it safe to apply again after a lost connection: the same request under the same id is the same build.
    command = "goldmint submit \"$REQUEST\" --set name=\"$IMAGE_NAME\" --id \"$IMAGE_NAME\" --wait --timeout 90m > image-id.txt"
  }
}

data "local_file" "image_id" {
  filename   = "image-id.txt"
  depends_on = [terraform_data.image]
}

output "image_id" {
  description = "For source_image_id of azurerm_linux_virtual_machine and its like."
  value       = trimspace(data.local_file.image_id.content)
}
