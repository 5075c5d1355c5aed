#!/usr/bin/env escript
%% -*- erlang -*-
%%! +S 1:1 +sbwt none +P 262144
%% The yardstick of messages between processes: what the same work takes in Erlang/OTP, one scheduler. Prints "name value" a line:
%% nanoseconds for each, and bytes.
%%   call     gen_server:call with a binary of 64 bytes, which comes back
%%   hop-N    a binary of N bytes sent on by one process to the next, unread
%%   spawn    a process is spawned, asked once, and gone
%%   names    100,000 processes, each asked once: nanoseconds each
%%   idle     memory of one of them
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2]).
-behaviour(gen_server).

init(S) -> {ok, S}.
handle_call(Body, _From, S) -> {reply, Body, S}.
handle_cast(_, S) -> {noreply, S}.

timed(N, F) ->
    F(N div 10 + 1),
    Runs = [begin B = erlang:monotonic_time(nanosecond), F(N), (erlang:monotonic_time(nanosecond) - B) / N end || _ <- lists:seq(1, 5)],
    lists:nth(3, lists:sort(Runs)).

say(Name, Value) -> io:format("~s ~b~n", [Name, round(Value)]).

call(Server, Body, N) when N > 0 -> Body = gen_server:call(Server, Body), call(Server, Body, N - 1);
call(_, _, 0) -> ok.

station() ->
    receive
        {next, Pid} -> put(next, Pid), station();
        {0, To, Bin} -> To ! {done, byte_size(Bin)}, station();
        {N, To, Bin} -> get(next) ! {N - 1, To, Bin}, station()
    end.

hop(First, Bin, N) -> First ! {N, self(), Bin}, receive {done, _} -> ok end.

once() -> receive {From, Ref} -> From ! Ref end.
asked() -> receive {From, Ref} -> From ! Ref, asked() end.
ask(Pid) -> Ref = make_ref(), Pid ! {self(), Ref}, receive Ref -> ok end.

spawn_all(N) when N > 0 -> ask(spawn(fun once/0)), spawn_all(N - 1);
spawn_all(0) -> ok.

main(_) ->
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    Body = binary:copy(<<7>>, 64),
    say("call", timed(200000, fun(N) -> call(Server, Body, N) end)),
    A = spawn(fun station/0), B = spawn(fun station/0),
    A ! {next, B}, B ! {next, A},
    [begin Bin = binary:copy(<<1>>, Size), say("hop-" ++ integer_to_list(Size), timed(200000, fun(N) -> hop(A, Bin, N) end)) end
     || Size <- [1024, 1048576]],
    say("spawn", timed(50000, fun spawn_all/1)),
    Before = erlang:memory(total), T = erlang:monotonic_time(nanosecond),
    Pids = [begin P = spawn(fun asked/0), ask(P), P end || _ <- lists:seq(1, 100000)],
    say("names", (erlang:monotonic_time(nanosecond) - T) / 100000),
    say("idle", (erlang:memory(total) - Before) / 100000),
    [exit(P, kill) || P <- Pids],
    io:format("otp ~s~n", [erlang:system_info(otp_release)]).
