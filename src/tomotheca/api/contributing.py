"""The form for offers: what is read, kept and answered. The pages themselves are drawn in `web.pages.contribute`."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tomotheca.api.errors import problems
from tomotheca.api.limit import RateLimit
from tomotheca.api.login import form, same_origin
from tomotheca.desk.submissions import CONTRIBUTOR, MOVES
from tomotheca.errors import NotFoundError, StorageError
from tomotheca.web.assets import PAGE_CSP
from tomotheca.web.contribution import mail, typed
from tomotheca.web.contribution.asking import repeated
from tomotheca.web.contribution.checking import Problem
from tomotheca.web.page import Context, ask, attending, guard, shell, to_html, to_json
from tomotheca.web.pages import contribute as pages
from tomotheca.web.words import say

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal
    from tomotheca.api.who import Identity
    from tomotheca.desk.submissions import Submission
    from tomotheca.web.contribution.typed import Typed
    from tomotheca.web.page import Asked
    from tomotheca.web.portal import Portal as Site

P = ParamSpec("P")
COOKIE = "tomotheca_form"
CSP = f"{PAGE_CSP}; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"
"""Nobody shows these pages in a frame of theirs, to have a visitor press their buttons."""

PATH = pages.PATH
LONGEST_BODY, MOST_FIELDS, LONGEST_MESSAGE = 300_000, 2_000, 4_000
BUTTON = re.compile(r"(add|remove)-([a-z]+)(?:-(\d{1,3}))?")
OLD = "This form was open for too long, or this browser keeps no cookies: nothing is lost, send it again."
SHUT = "Nothing can be kept on this server at the moment. Nothing is lost: send the form again later."
KEPT = "Your draft is kept. The address of this page is yours alone: keep it to come back."
REFUSED, UNUSABLE, TOO_MANY, UNABLE = 403, 422, 429, 503


@dataclass(frozen=True)
class Posted:
    """A form that came."""

    request: Request
    asked: Asked
    filled: Typed
    pairs: tuple[tuple[str, str], ...]
    nonce: str
    genuine: bool
    """It is a form that this server drew for this browser."""

    known: Submission | None = None

    @property
    def button(self) -> str:
        """Which button was pressed."""
        return next((value for name, value in reversed(self.pairs) if name == "do"), "")


def in_language(
    answer: Callable[Concatenate[Desk, Request, P], Response],
) -> Callable[Concatenate[Desk, Request, P], Response]:
    """Let a page be made in the language of whoever asks."""

    def made(desk: Desk, request: Request, /, *args: P.args, **more: P.kwargs) -> Response:
        with attending(desk.site, request):
            return answer(desk, request, *args, **more)

    return made


class Desk:
    """Answers to what is asked of the form and of private addresses."""

    def __init__(self, portal: Portal, site: Site, identity: Identity) -> None:
        self.site, self.settings, self.submissions = site, portal.settings, portal.desk.submissions
        self.limit = RateLimit(
            self.settings.contribute_rate_limit, self.settings.state_folder / "contribute-limit", identity.proxies
        )
        self.secure = (self.settings.public_url or "").startswith("https:")

    # --- looking ---------------------------------------------------------------------------------------------------

    @in_language
    def form(self, request: Request) -> Response:
        """Give the empty form."""
        asked = ask(self.site, request)
        if self.settings.contribute_mode.startswith("http"):
            return guard(RedirectResponse(self.settings.contribute_mode, 302))
        return self._draw(request, pages.contribute(asked))

    @in_language
    def private(self, request: Request) -> Response:
        """Give the page of a private address: the form while it may be changed, else how far it has come."""
        known = self._of(request)
        return self._page(request, ask(self.site, request), known)

    def twin(self, request: Request) -> Response:
        """Give the form, or the page of a private address, as JSON."""
        asked = ask(self.site, request, json=True)
        if "token" not in request.path_params:
            return _closed(guard(to_json(pages.contribute(asked))), private=False)
        known = self._of(request)
        track = self._track(asked, known)
        filled = typed.stored(known.form)
        return _closed(guard(to_json(self._editable(asked, known, filled) if known.editable else track)))

    def _of(self, request: Request) -> Submission:
        if self.settings.contribute_mode != "internal":
            message = "This site takes no contributions by a form of its own."
            raise NotFoundError(message)
        return self.submissions.of(request.path_params["token"])

    def _page(self, request: Request, asked: Asked, known: Submission) -> Response:
        if not known.editable:
            return self._draw(request, self._track(asked, known))
        notice = KEPT if asked.address.first("saved") else ""
        return self._draw(request, replace(self._editable(asked, known, typed.stored(known.form)), notice=notice))

    def _editable(self, asked: Asked, known: Submission, filled: Typed, *problems: Problem) -> pages.Contribute:
        return replace(
            pages.draw(asked, filled, problems), action=asked.address.path, reference=known.reference, noindex=True, canonical="",
            track=self._track(asked, known),
        )  # fmt: skip

    def _track(self, asked: Asked, known: Submission, *problems: Problem) -> pages.Tracking:
        notes = self.submissions.notes(known.id)
        can = "withdrawn" in MOVES[known.status].get(CONTRIBUTOR, ())
        return pages.track(
            asked, known, notes, action=asked.address.path, csrf="", received=known.status == "submitted" and bool(asked.address.first("sent")), can_withdraw=can,
            problems=problems,
        )  # fmt: skip

    def _draw(self, request: Request, page: pages.Contribute | pages.Tracking, status: int = 200) -> Response:
        nonce = request.cookies.get(COOKIE, "") or secrets.token_urlsafe(18)
        try:
            page = replace(page, csrf=self._sign(nonce))
        except StorageError as error:  # no secret has been made yet, and none can be
            problems.error("contribute: %s", error)
            page = replace(page, notice=say(SHUT))
        if isinstance(page, pages.Contribute) and page.track:
            page = replace(page, track=replace(page.track, csrf=page.csrf))
        template = "contribute.html" if isinstance(page, pages.Contribute) else "tracking.html"
        asked = ask(self.site, request)
        frame = shell(asked)
        context: Context = page
        response = _closed(guard(to_html(template, context, frame, status)), private=context.noindex)
        if nonce != request.cookies.get(COOKIE):
            secure = self.secure or request.url.scheme == "https"
            response.set_cookie(COOKIE, nonce, path=PATH, httponly=True, secure=secure, samesite="lax")
        return response

    def _sign(self, nonce: str) -> str:
        return hmac.new(self.submissions.secret(), nonce.encode(), hashlib.sha256).hexdigest()

    # --- sending ---------------------------------------------------------------------------------------------------

    async def post(self, request: Request) -> Response:
        """Take a form."""
        same_origin(request)
        pairs = tuple(await form(request, LONGEST_BODY, MOST_FIELDS))
        return await run_in_threadpool(self._take, request, pairs)

    @in_language
    def _take(self, request: Request, pairs: tuple[tuple[str, str], ...]) -> Response:
        try:
            return self._taken(request, pairs)
        except StorageError as error:
            problems.error("contribute: %s", error)
            if ("do", "message") in pairs or ("do", "withdraw") in pairs:
                raise StorageError(say(SHUT)) from error
            asked = ask(self.site, request)
            page = replace(pages.draw(asked, typed.read(pairs), ()), action=asked.address.path, notice=say(SHUT))
            return self._draw(request, replace(page, noindex=page.noindex or "token" in request.path_params), UNABLE)

    def _taken(self, request: Request, pairs: tuple[tuple[str, str], ...]) -> Response:
        if self.settings.contribute_mode != "internal":
            message = "This site takes no contributions by a form of its own."
            raise NotFoundError(message)
        nonce = request.cookies.get(COOKIE, "")
        given = next((value for name, value in pairs if name == "csrf"), "")
        genuine = bool(nonce) and hmac.compare_digest(given.encode(), self._sign(nonce).encode())
        known = self._of(request) if "token" in request.path_params else None
        posted = Posted(request, ask(self.site, request), typed.read(pairs), pairs, nonce, genuine, known)
        if known is not None and posted.button in {"message", "withdraw"}:
            return self._talk(posted, known)
        if known is not None and not known.editable:
            return guard(RedirectResponse(posted.asked.address.path, 303))
        if not genuine:
            return self._again(posted, (), REFUSED, notice=OLD)
        if found := BUTTON.fullmatch(posted.button):
            return self._rows(posted, *found.groups())
        if posted.button not in {"save", "submit"}:
            return self._again(posted)
        return self._keep(posted)

    def _rows(self, posted: Posted, verb: str, each: str, number: str | None) -> Response:
        section = next((s for s in repeated() if s.each == each), None)
        if section is None:
            return self._again(posted)
        if verb == "add":
            filled = posted.filled.more(section)
            focus = f"{each}-{len(filled.rows[each])}-{section.asks[0].name}"
        else:
            filled, focus = posted.filled.fewer(section, int(number or 0) or section.most + 1), ""
        return self._again(replace(posted, filled=filled), focus=focus)

    def _keep(self, posted: Posted) -> Response:
        filled, known = posted.filled, posted.known
        if filled.trap:
            said = Problem(
                "website", "The hidden field", say("Leave the hidden field empty: only machines fill it in.")
            )
            return self._again(posted, (said,), UNUSABLE)
        problems = pages.check(posted.asked, filled) if posted.button == "submit" else ()
        if problems:
            return self._again(posted, problems, UNUSABLE)
        if wait := self._wait(posted.request):
            response = self._again(
                posted,
                (),
                TOO_MANY,
                notice=say("Too many forms came from your address; try again in {} seconds.", wait),
            )
            response.headers["retry-after"] = str(wait)
            return response
        title, form = typed.heading(filled), filled.pairs()
        if posted.button == "submit":
            form["licence"] = (self.settings.contribute_licence,)  # what was agreed to, whatever is set later
        if known is None:
            known, token = self.submissions.create(title, form)
            path = f"{PATH}/{token}"
        else:
            known, path = self.submissions.edit(known.id, title, form), posted.asked.address.path
        if posted.button == "save":
            return guard(RedirectResponse(f"{path}?saved=1", 303))
        known = self.submissions.move(known.id, "submitted", side=CONTRIBUTOR)
        subject, text = mail.received(self.settings, known.reference, known.title, posted.asked.origin + path)
        mail.send(self.settings, filled.first("contact-email"), subject, text)
        return guard(RedirectResponse(f"{path}?sent=1", 303))

    def _talk(self, posted: Posted, known: Submission) -> Response:
        text = typed.clean(next((value for name, value in posted.pairs if name == "message"), ""))
        sentence = ""
        if posted.button == "message" and not text:
            sentence = say("Write a message.")
        if len(text) > LONGEST_MESSAGE:
            sentence = say("Write at most {} characters.", f"{LONGEST_MESSAGE:,}")
        if not posted.genuine:
            sentence = OLD
        status = UNUSABLE if posted.genuine else REFUSED
        if not sentence and (wait := self._wait(posted.request)):
            sentence, status = say("Too many messages came from your address; try again in {} seconds.", wait), TOO_MANY
        if sentence:
            problem = Problem("message", "Message", sentence)
            if known.editable:
                page = self._editable(posted.asked, known, typed.stored(known.form))
                return self._draw(
                    posted.request, replace(page, track=self._track(posted.asked, known, problem)), status
                )
            return self._draw(posted.request, self._track(posted.asked, known, problem), status)
        if posted.button == "withdraw":
            self.submissions.move(known.id, "withdrawn", side=CONTRIBUTOR, message=text)
        else:
            self.submissions.say(known.id, text, side=CONTRIBUTOR)
        return guard(RedirectResponse(posted.asked.address.path, 303))

    def _again(
        self,
        posted: Posted,
        problems: tuple[Problem, ...] = (),
        status: int = 200,
        *,
        notice: str = "",
        focus: str = "",
    ) -> Response:
        """Show the form with what was typed."""
        page = (
            self._editable(posted.asked, posted.known, posted.filled, *problems)
            if posted.known
            else pages.draw(posted.asked, posted.filled, problems)
        )
        return self._draw(posted.request, replace(page, notice=notice, focus=focus), status)

    def _wait(self, request: Request) -> int:
        return self.limit.wait(request.url.path, request.scope.get("client"), request.headers)


def routes(portal: Portal, site: Site, identity: Identity) -> list[Route]:
    """Give the form, private addresses, and their twins."""
    desk = Desk(portal, site, identity)
    endpoints: tuple[tuple[str, Callable[[Request], Response | Awaitable[Response]], str], ...] = (
        (f"{PATH}.json", desk.twin, "GET"), (PATH, desk.form, "GET"), (PATH, desk.post, "POST"),
        (PATH + "/{token}.json", desk.twin, "GET"), (PATH + "/{token}", desk.private, "GET"), (PATH + "/{token}", desk.post, "POST"),
    )  # fmt: skip
    return [Route(path, endpoint, methods=[method]) for path, endpoint, method in endpoints]


def _closed(response: Response, *, private: bool = True) -> Response:
    """Keep a page out of caches; a private one out of search engines, and its address out of what other sites are told."""
    response.headers["cache-control"] = "no-store"
    response.headers["content-security-policy"] = CSP
    if private:
        response.headers["x-robots-tag"] = "noindex"
        response.headers["referrer-policy"] = "same-origin"
    return response
