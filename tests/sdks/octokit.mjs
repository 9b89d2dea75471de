// Uses the GitHub SDK `octokit` against Relink: node octokit.mjs BASE_URL, with the token in RELINK_TOKEN. Prints what it
// found as JSON. Of what a program would do at GitHub itself, only the base URL and the token differ.
import { Octokit } from 'octokit';

const octokit = new Octokit({ baseUrl: process.argv[2], auth: process.env.RELINK_TOKEN, log: { debug() {}, info() {}, warn() {}, error() {} } });
const { data: me } = await octokit.rest.users.getAuthenticated();
const repositories = await octokit.paginate(octokit.rest.repos.listForAuthenticatedUser, { per_page: 20 });
const [{ owner, name: repo }] = repositories;
const made = await octokit.rest.issues.create({ owner: owner.login, repo, title: 'From octokit', body: 'It works' });
const read = await octokit.rest.issues.get({ owner: owner.login, repo, issue_number: made.data.number });
const missing = await octokit.rest.issues.get({ owner: owner.login, repo, issue_number: 999 }).catch((error) => error.status);
console.log(JSON.stringify({ login: me.login, repositories: repositories.length, title: read.data.title, missing }));
