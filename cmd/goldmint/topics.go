package main

import "github.com/spf13/cobra"

// helpEnvironment is `goldmint help environment`.
func helpEnvironment() *cobra.Command {
	return &cobra.Command{
		Use:   "environment",
		Short: "How the namespace is found, and other variables",
		Long: `The command takes the namespace from the first of these that is set:

  --connection-string, --namespace
  GOLDMINT_CONNECTION_STRING                      a shared access policy's connection string
  GOLDMINT_NAMESPACE                              NAME, or NAME.servicebus.windows.net
  ServiceBusConnection                            the function app's own settings
  ServiceBusConnection__fullyQualifiedNamespace
  a "goldmint local" of yours that runs on this machine

With a namespace the command signs in as Azure's DefaultAzureCredential does: the variables of a service principal or a
workload identity, a managed identity, or the person who ran "az login". It needs these roles:

  submit                          Azure Service Bus Data Sender    on the queue image-requests
  wait, status, list, events      Azure Service Bus Data Receiver  on the subscription history
  submit --wait                   both
  dead-letters                    Azure Service Bus Data Receiver  on the queues image-requests and image-builds
  dead-letters resubmit           Azure Service Bus Data Sender    on the queue the message goes back to, too

  REQUEST_QUEUE, BUILD_QUEUE, EVENT_TOPIC
                                  the entities, where they are not image-requests, image-builds and image-events

In GitHub Actions (GITHUB_ACTIONS) the commands submit and wait set the step's outputs image-id, build-id and outcome and
write a summary; in Azure DevOps (TF_BUILD) they set the variables imageId, buildId and outcome. Of several builds these
are the last one's.`,
	}
}

// helpExitStatus is `goldmint help exit-status`.
func helpExitStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-status",
		Short: "What the exit status of each command means",
		Long: `  0  done: the build succeeded, the request is valid, the answer is printed
  1  the build failed (local: a submitted build did not give an image; doctor: something is missing)
  2  the request was rejected or is not valid, status knows nothing of the build, or the command was used wrongly
  3  it did not end within --timeout, or the command was interrupted; the build goes on
  4  Service Bus could not be reached, or did not let you in (doctor: a service could not be reached)

Of several builds or files the highest one counts.`,
	}
}
