"""`kivuko serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.console import Threads, prepare, say, warn_of_size


def serve(
    indexes: Annotated[list[str], typer.Option("--index", help="LOCATION[=NAME] of an index or a store; repeatable.")],
    models: Annotated[
        list[str], typer.Option("--model", help="LANGUAGE=MODEL, the encoder of queries in it; repeatable.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default only this machine can ask.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8_000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with the key that callers need; or set KIVUKO_API_KEY.")
    ] = None,
    without_api_key: Annotated[
        bool, typer.Option("--without-api-key", help="Let everybody ask who reaches --host.")
    ] = False,
    any_model: Annotated[
        bool, typer.Option("--any-model", help="Ask also with models that do not belong to a collection.")
    ] = False,
    max_concurrent: Annotated[
        int, typer.Option(min=1, max=64, help="Requests computed at once, each with models of its own.")
    ] = 1,
    queue: Annotated[int, typer.Option(min=0, max=10_000, help="Requests that may wait; more are told 429.")] = 32,
    timeout: Annotated[float, typer.Option(min=0.1, max=3_600, help="Seconds until a request is told 504.")] = 30.0,
    max_answer: Annotated[
        int, typer.Option(min=1, max=1_000, help="MB of text in one answer; who asks for more is told 422.")
    ] = 8,
    log_queries: Annotated[bool, typer.Option("--log-queries", help="Write what is asked to the log.")] = False,
    threads: Threads = None,
) -> None:
    """Serve search, explanations and word alignment over HTTP, with a page to try them.

    Example: `kivuko serve --index index=news --model sw=swahili`
    """
    from kivuko.errors import ConfigError

    try:
        import prometheus_client  # noqa: F401

        from kivuko.web.server import address_of, bind, run_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"`kivuko serve` needs {error.name}, which is not installed: `pip install 'kivuko[serve]'`."
        ) from None
    from kivuko.web.settings import ServeSettings, is_loopback, local_names, parse_indexes, parse_models, read_api_key

    collections, languages = parse_indexes(indexes), parse_models(models)
    key = read_api_key(api_key_file, os.environ.get("KIVUKO_API_KEY"))
    local = is_loopback(host)
    if not local and key is None and not without_api_key:
        raise ConfigError(
            f"--host {host} can be reached by other machines, and there is no API key: give one with --api-key-file or "
            "KIVUKO_API_KEY, or say --without-api-key."
        )
    settings = ServeSettings(
        queue=queue,
        timeout=timeout,
        api_key=key,
        allowed_hosts=local_names(host) if local else (),
        max_answer=1_000_000 * max_answer,
        log_queries=log_queries,
    )
    with bind(host, port) as listener:
        prepare(threads)
        from kivuko.web.app import create_app
        from kivuko.web.log import logging_to_stderr
        from kivuko.web.service import load_services

        with logging_to_stderr():
            say(f"loading {len(collections)} collections and {len(languages)} languages")
            services = load_services(collections, languages, workers=max_concurrent, any_model=any_model)
            for collection in services[0].collections.values():
                warn_of_size(collection.index)
            run_server(
                create_app(services, settings),
                listener,
                patience=timeout,
                ready=lambda: typer.echo(f"Kivuko answers on {address_of(listener)}"),
            )
