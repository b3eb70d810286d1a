module sample/go-web

go 1.19
