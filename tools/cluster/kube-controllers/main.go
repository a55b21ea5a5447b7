// Command kube-controllers runs the two Kubernetes controllers that the tests
// need: the garbage collector, which deletes what a deleted owner leaves
// behind, and the namespace controller, which empties deleted namespaces.
//
// Both are Kubernetes' own packages, as kube-controller-manager runs them. The
// manager itself links some four hundred packages more, and it looks for new
// resource types only every thirty seconds, which a test that has just
// installed its CustomResourceDefinitions would have to wait for.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/version"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
)

// options are the command line's values.
type options struct {
	kubeconfig string
	resync     time.Duration
	workers    int
}

func main() {
	klog.InitFlags(nil)
	var opts options
	flag.StringVar(&opts.kubeconfig, "kubeconfig", "", "kubeconfig of a cluster administrator")
	flag.DurationVar(&opts.resync, "resync", time.Second, "how often new resource types are looked for")
	flag.IntVar(&opts.workers, "workers", 5, "concurrent workers of each controller")
	printVersion := flag.Bool("version", false, "print the version of Kubernetes and exit")
	flag.Parse()
	if *printVersion {
		fmt.Println("Kubernetes", version.Get().GitVersion)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opts); err != nil {
		fmt.Fprintln(os.Stderr, "kube-controllers:", err)
		os.Exit(1)
	}
}

// run starts both controllers and returns when ctx ends.
func run(ctx context.Context, opts options) error {
	config, err := clientcmd.BuildConfigFromFlags("", opts.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	// The client-side rate limit protects shared clusters, and only delays tests.
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client: %w", err)
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the metadata client: %w", err)
	}

	typed := informers.NewSharedInformerFactory(client, 0)
	untyped := metadatainformer.NewSharedInformerFactory(metadataClient, 0)
	started := make(chan struct{})
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))

	collector, err := garbagecollector.NewGarbageCollector(
		ctx, client, metadataClient, mapper, garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(typed, untyped), started,
	)
	if err != nil {
		return fmt.Errorf("making the garbage collector: %w", err)
	}
	namespaces := namespace.NewNamespaceController(
		ctx, client, metadataClient,
		client.Discovery().ServerPreferredNamespacedResources,
		typed.Core().V1().Namespaces(), opts.resync, v1.FinalizerKubernetes,
	)

	typed.Start(ctx.Done())
	untyped.Start(ctx.Done())
	close(started)
	go collector.Run(ctx, opts.workers, opts.resync)
	go collector.Sync(ctx, client.Discovery(), opts.resync)
	go namespaces.Run(ctx, opts.workers)
	klog.InfoS("The controllers are running", "version", version.Get().GitVersion)
	<-ctx.Done()
	return nil
}
