// The ten requests of examples/requests, which are the ten examples of GruCloud's own page on images, as GruCloud's resources.
const { readdirSync, readFileSync } = require("fs");
const { join } = require("path");

const folder = process.env.REQUESTS;
const requests = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => JSON.parse(readFileSync(join(folder, file))));

// Azure demands the generation of a blob, which the page leaves out. Goldmint adds it to a request; GruCloud sends what it is told.
const complete = (properties) =>
  properties.storageProfile?.osDisk.blobUri ? { hyperVGeneration: "V1", ...properties } : properties;

exports.createResources = () => [
  {
    type: "ResourceGroup",
    group: "Resources",
    readOnly: true,
    properties: () => ({ name: "golden-images", location: "westus" }),
  },
  ...requests.map(({ resourceGroup, name, image }) => ({
    type: "Image",
    group: "Compute",
    properties: () => ({ name, ...image, properties: complete(image.properties) }),
    dependencies: () => ({ resourceGroup }),
  })),
];
