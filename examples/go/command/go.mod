module example/command

go 1.21
