package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello from Go, instance %s\n", os.Getenv("CF_INSTANCE_INDEX"))
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		values := map[string]string{}
		for _, name := range []string{"PORT", "MEMORY_LIMIT", "CF_INSTANCE_INDEX"} {
			values[name] = os.Getenv(name)
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(values)
	})
	server := &http.Server{Addr: ":" + port, Handler: logged(mux)}

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	log.Printf("listening on %s", port)
	<-stop.Done()
	log.Print("stopping")
	deadline, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	server.Shutdown(deadline)
}

func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		log.Printf("%s %s", r.Method, r.URL.Path)
	})
}
