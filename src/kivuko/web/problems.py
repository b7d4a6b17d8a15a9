"""Errors as callers see them: one shape, a whole sentence, nothing of the inside."""

import sys
from collections.abc import Mapping, Sequence

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from kivuko.web.schemas import ErrorAnswer, FieldProblem, ProblemReport

_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_NOT_JSON = "The body is not JSON: expected a JSON object in UTF-8, with the header Content-Type: application/json."


class Problem(Exception):  # noqa: N818 - what a caller is told, which need not be an error of ours
    """What a request is refused for.

    Args:
        status: HTTP status.
        code: One word for programs.
        message: For people: what was expected and what came.
        fields: Which fields of the request are at fault.
        headers: To send with it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.fields, self.headers = tuple(fields), dict(headers or {})

    def response(self) -> JSONResponse:
        """Return the answer."""
        report = ProblemReport(code=self.code, message=self.message, fields=list(self.fields))
        return JSONResponse(ErrorAnswer(error=report).model_dump(), self.status, self.headers)


def http_problem(
    status: int, detail: str, headers: Mapping[str, str] | None, cause: BaseException | None = None
) -> Problem:
    """Make a problem of an error that the framework found: no such path, no such method, a body that cannot be read."""
    if status == 400 and isinstance(cause, RecursionError):
        return Problem(422, "invalid", "The request cannot be used. Its body has too many brackets within brackets.")
    if status == 400 and isinstance(cause, ValueError) and not isinstance(cause, UnicodeError):  # JSON, all the same
        return Problem(
            422,
            "invalid",
            f"The request cannot be used. An integer in it has more than {sys.get_int_max_str_digits():,} digits: "
            f"expected numbers up to {sys.float_info.max:.1e}.",
        )
    message = {
        400: _NOT_JSON,
        404: "There is nothing under this path: GET /api/openapi.json lists what there is.",
        405: "This path does not know this method: GET /api/openapi.json lists what there is.",
    }.get(status, detail)
    return Problem(status, _CODES.get(status, "refused"), message, headers=headers)


def validation_problem(error: RequestValidationError) -> Problem:
    """Make a problem of a body that is not as the schema says; what came is not repeated."""
    errors = error.errors()
    if any(each["type"] in {"json_invalid", "model_attributes_type"} for each in errors):
        return Problem(422, "invalid", _NOT_JSON)
    fields = [
        FieldProblem(field=".".join(str(part) for part in each["loc"][1:])[:100] or "body", expected=each["msg"][:200])
        for each in errors[:10]
    ]
    return unusable(fields)


def unusable(fields: Sequence[FieldProblem]) -> Problem:
    """Make the problem of fields that are not as they should be."""
    told = "; ".join(f"{each.field}: {each.expected}" for each in fields)
    return Problem(422, "invalid", f"The request cannot be used. {told}.", fields=fields)


def unknown(kind: str, name: str, known: Sequence[str] = ()) -> Problem:
    """Make the problem of a name that nothing here goes by."""
    hint = f" Expected one of: {', '.join(known)}." if known else ""
    return Problem(404, f"unknown_{kind}", f"There is no {kind.replace('_', ' ')} {name[:60]!a} here.{hint}")
